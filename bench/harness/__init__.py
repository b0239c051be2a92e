"""The benchmark harness: see docs/benchmarks.md."""
