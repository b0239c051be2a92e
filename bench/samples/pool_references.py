"""Makes objects in a loop and leaves them to a pool, or to handles; prints what it took as JSON.

Usage: pool_references.py COUNT ROUNDS SEED KIND

See bench/cpp/pool_references.cc.
"""

import sys

import pool_references

count, rounds, seed, kind = sys.argv[1:]
pool_references.run(int(count), int(rounds), int(seed), kind)
