"""Does one kind of work again and again, and says how long it took.

Usage: allocator.py WORK TURNS

Prints {"ms": of one turn, the fastest of all, "peak_mib": the most that was resident}.
"""

import contextlib
import gc
import io
import json
import resource
import sys
from time import perf_counter_ns


class Point:
    __slots__ = ("x", "y", "next")

    def __init__(self, x, y, next_):
        self.x = x
        self.y = y
        self.next = next_


def objects():
    """Small objects that come and go, some hundred thousand alive: floats, strs, tuples, instances."""
    kept = []
    for i in range(100_000):
        point = Point(i + 0.5, str(i), None)
        kept.append(Point((i, point.x), point.y + "!", point))
        if i % 3 == 0:
            kept[i // 2] = (i, [i])
    return len(kept)


def containers():
    """Lists and dicts that grow, and strs and bytes of all sizes."""
    tables = []
    for i in range(2_000):
        table = {}
        for k in range(i % 64):
            table[k, i] = [k] * (k % 40)
        tables.append(table)
        text = ",".join(map(str, range(i % 300)))
        tables.append(text.split(","))
        if i % 5 == 0:
            tables[i] = bytes(i * 3 % 9000)
    return len(tables)


def documents():
    """Parsing and writing JSON."""
    value = {f"key {i}": [i, str(i), {"inner": [i] * 5, "text": "x" * (i % 100)}] for i in range(2_000)}
    for _ in range(4):
        value = json.loads(json.dumps(value))
    return len(value)


def django_pages():
    """Queries, pages and passwords of the demo's program."""
    import demo_program
    from django.db import connection

    book = demo_program.book_model()
    for _ in range(10):
        found = list(book.objects.filter(pages__gt=100).order_by("title"))
        page = demo_program.shelf(None, 1979)
        list(book.objects.values_list("title", "year"))
    return len(found) + len(page.content) + len(connection.queries)


def prepare_django():
    import demo_program

    with contextlib.redirect_stdout(io.StringIO()):
        demo_program.main()


work = {"objects": objects, "containers": containers, "documents": documents, "django": django_pages}[sys.argv[1]]
turns = int(sys.argv[2])
if work is django_pages:
    prepare_django()

times = []
for _ in range(turns + 1):
    start = perf_counter_ns()
    if not work():
        raise SystemExit("nothing was done")
    times.append((perf_counter_ns() - start) / 1e6)
    gc.collect()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"ms": min(times[1:]), "peak_mib": peak}))
