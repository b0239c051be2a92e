"""How large images are."""

from __future__ import annotations

import django_core
from harness.context import Context
from harness.registry import benchmark
from harness.schema import Row, make_row


@benchmark("size/django")
def size_django(ctx: Context) -> Row:
    """Bytes of the image of Django core against the sum of the same modules' .pyc files."""
    core = django_core.prepare(ctx)
    pyc_bytes = sum(file.stat().st_size for file in core.pyc_files)
    return make_row(
        "size/django",
        "bytes",
        "lower",
        ctx.python,
        [core.image.stat().st_size],
        {f".pyc, {ctx.python}": [pyc_bytes]},
        ctx.method(f"file sizes, {len(core.modules)} modules, counted once"),
    )
