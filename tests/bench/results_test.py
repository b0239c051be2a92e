"""Statistics, the schema, the adapter for Google Benchmark, and the table."""

import json
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path

import bench_path  # noqa: F401  puts what follows on the path
from harness import google_benchmark, report, schema, stats
from harness.errors import BenchError


def row(**changes):
    plain = schema.make_row("a/b", "ms", "lower", "CPython 3.14.8", [2.0], {"peer 1": [3.0]}, "how")
    return replace(plain, **changes)


class Stats(unittest.TestCase):
    def test_median_is_not_moved_by_one_outlier(self):
        self.assertEqual(stats.median([10, 11, 12, 11, 5000]), 11)

    def test_quartiles_interpolate(self):
        self.assertEqual(stats.quartiles([4, 1, 3, 2, 5]), (2, 4))
        self.assertEqual(stats.quartiles([1, 2]), (1.25, 1.75))
        self.assertEqual(stats.quartiles([7]), (7, 7))

    def test_times_better_is_above_one_when_ahead(self):
        self.assertEqual(stats.times_better(2, 6, "lower"), 3)
        self.assertEqual(stats.times_better(6, 2, "higher"), 3)
        self.assertEqual(stats.times_better(6, 2, "lower"), 1 / 3)
        self.assertEqual(stats.times_better(0, 0, "lower"), 1)

    def test_interval_holds_the_median_and_is_seeded(self):
        values = [1.0, 1.1, 0.9, 1.05, 0.95, 1.2, 8.0]
        low, high = stats.median_interval(values)
        self.assertLessEqual(low, stats.median(values))
        self.assertGreaterEqual(high, stats.median(values))
        self.assertEqual((low, high), stats.median_interval(values))


class Schema(unittest.TestCase):
    def test_row_is_made_of_medians(self):
        made = schema.make_row(
            "x", "ms", "lower", "CPython", [1, 2, 9], {"p": [4, 6, 5]}, "interleaved"
        )
        self.assertEqual((made.tenure, made.peers, made.n), (2, {"p": 5}, 3))
        self.assertEqual(made.speedup, {"p": 3})
        self.assertEqual(made.spread["tenure"], [1.5, 5.5])
        self.assertIn("speedup p", made.spread)

    def test_rounds_of_a_busy_neighbour_do_not_move_the_speedup(self):
        own, peer = [10, 10, 10, 30, 30], [20, 20, 20, 60, 60]
        made = schema.make_row("x", "ms", "lower", "CPython", own, {"p": peer}, "m")
        self.assertEqual(made.speedup, {"p": 2})
        half_busy = [10, 10, 30, 30, 30], [20, 20, 20, 60, 60]
        made = schema.make_row("x", "ms", "lower", "C", half_busy[0], {"p": half_busy[1]}, "m")
        self.assertEqual(made.speedup, {"p": 2}, "though the medians are 30 and 20")

    def test_sides_of_different_length_are_refused(self):
        with self.assertRaises(ValueError):
            schema.make_row("x", "ms", "lower", "CPython", [1, 2], {"p": [4]}, "m")

    def test_fields_are_those_of_the_schema(self):
        (plain,) = json.loads(schema.dumps([row()]))
        wanted = "name unit better python tenure peers speedup n spread method".split()
        self.assertEqual(list(plain), wanted)

    def test_round_trip(self):
        rows = [row(), row(name="c", peers={}, speedup={})]
        self.assertEqual(schema.loads(schema.dumps(rows)), rows)

    def test_what_is_wrong_is_named(self):
        good = json.loads(schema.dumps([row()]))[0]
        schema.validate(good)
        for change, message in (
            ({"better": "faster"}, "better is 'faster'"),
            ({"tenure": "2"}, "tenure is a str"),
            ({"n": 0}, "n is not positive"),
            ({"peers": {}}, "different labels"),
            ({"tenure": float("nan")}, "not a finite number"),
            ({"extra": 1}, "fields are"),
            ({"spread": {"tenure": [1]}}, "spread of tenure"),
        ):
            with (
                self.subTest(change),
                self.assertRaisesRegex(schema.SchemaError, f"a/b: .*{message}"),
            ):
                schema.validate(good | change)

    def test_nothing_bad_is_written(self):
        with self.assertRaises(schema.SchemaError):
            schema.dumps([row(tenure=float("inf"))])

    def test_a_list_is_wanted(self):
        with self.assertRaisesRegex(schema.SchemaError, "list"):
            schema.loads("{}")

    def test_files_are_replaced_whole(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "new" / "rows.json"
            schema.write_file(path, "one")
            schema.write_file(path, "two")
            self.assertEqual(path.read_text(), "two")
            self.assertEqual([path], list(path.parent.iterdir()))


def google(*entries):
    plain = {"run_type": "iteration", "time_unit": "ns"}
    for entry in entries:
        entry.setdefault("run_name", entry["name"])
    return json.dumps({"context": {}, "benchmarks": [plain | entry for entry in entries]})


class GoogleBenchmark(unittest.TestCase):
    def rows(self, *entries):
        return google_benchmark.rows(
            google(*entries), group="calls", python="CPython 3.14.8", method="pinned"
        )

    def test_repetitions_are_samples_and_peers_are_matched(self):
        times = {"call/1": (10, 14, 12), "call@nanobind 2.12/1": (24, 22, 30)}
        entries = [
            {"name": name, "cpu_time": time, "real_time": 2 * time}
            for name, three in times.items()
            for time in three
        ]
        mean = {"name": "call/1_mean", "run_name": "call/1", "run_type": "aggregate"}
        (made,) = self.rows(*entries, mean)
        self.assertEqual((made.name, made.unit, made.n), ("calls/call/1", "ns", 3))
        self.assertEqual((made.tenure, made.peers), (12, {"nanobind 2.12": 24}))
        self.assertEqual(made.speedup, {"nanobind 2.12": 2.4})
        self.assertIn("3 repetitions; pinned", made.method)
        schema.dumps([made])

    def test_real_time_where_the_benchmark_asks_for_it(self):
        (made,) = self.rows({"name": "wait/real_time", "cpu_time": 1, "real_time": 100})
        self.assertEqual(made.tenure, 100)

    def test_error_of_a_benchmark(self):
        broken = {"name": "call", "error_occurred": True, "error_message": "no interpreter"}
        with self.assertRaisesRegex(BenchError, "calls/call: no interpreter"):
            self.rows(broken)

    def test_peer_alone(self):
        with self.assertRaisesRegex(BenchError, "only pybind11"):
            self.rows({"name": "call@pybind11", "cpu_time": 1, "real_time": 1})

    def test_units_and_numbers_have_to_match(self):
        own = {"name": "call", "cpu_time": 1, "real_time": 1}
        peer = own | {"name": "call@p", "run_name": "call@p"}
        with self.assertRaisesRegex(BenchError, "different units"):
            self.rows(own, peer | {"time_unit": "us"})
        with self.assertRaisesRegex(BenchError, "numbers of repetitions"):
            self.rows(own, dict(own), peer)


class Table(unittest.TestCase):
    def test_numbers(self):
        for value, text in (
            (0.0, "0"),
            (1.234567, "1.23"),
            (12.345, "12.3"),
            (167.26, "167"),
            (7_477_369, "7,477,369"),
        ):
            self.assertEqual(report.number(value), text)

    def test_every_row_and_peer_has_a_line(self):
        lonely = row(name="lonely", peers={}, speedup={})
        text = report.rows_table([row(), lonely])
        self.assertEqual(len(text.splitlines()), 4)
        self.assertIn("1.5x", text)


if __name__ == "__main__":
    unittest.main()
