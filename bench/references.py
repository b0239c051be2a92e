"""References of a scope: a ReferencePool, the pool it is to replace, and handles."""

from __future__ import annotations

from harness import programs
from harness.context import Context
from harness.interleave import merge
from harness.registry import Target, add
from harness.schema import Row, make_row

# Fresh processes, each with its own layout of memory, and the rounds of each.
PROCESSES = 5
ROUNDS = 20

BASELINE = "a pool in the shape of PyO3's GILPool"
_KINDS = {
    "rows": "a float, an int and a tuple of both in each turn",
    "floats": "a float in each turn",
    "shared": "new references to 256 lists",
}


def _samples(ctx: Context, kind: str, count: int) -> dict[str, dict[str, list[float]]]:
    def measure() -> dict[str, dict[str, list[float]]]:
        runs = []
        env = ctx.env(tenure=False, paths=(programs.folder(),))
        for number in range(PROCESSES):
            seed = (ctx.seed + number) % 2**32
            arguments = (count, ctx.rounds(ROUNDS), seed, kind)
            runs.append(ctx.run_sample("pool_references.py", *arguments, env=env))
            ctx.progress.step(f"pool/references {kind} {count:,}", number + 1, PROCESSES)
        ctx.progress.clear()
        return merge(runs)

    return ctx.once(f"pool_references {kind} {count}", measure)


def _how(ctx: Context, what: str, kind: str, count: int) -> str:
    return ctx.method(
        f"wall time of {what}, for each of {count:,} objects, {_KINDS[kind]}; "
        f"{PROCESSES} fresh processes with {ctx.rounds(ROUNDS)} rounds each after 2 to warm up, "
        "sides shuffled in each round"
    )


def _name(what: str, kind: str, count: int) -> str:
    return f"pool/references/{what}/{count}" + ("" if kind == "rows" else f"/{kind}")


def _register_phase(what: str, kind: str, count: int, target: Target | None) -> None:
    name = _name(what, kind, count)
    whole = {"fill": "making objects and keeping them", "drain": "the pool's end"}[what]

    def measure(ctx: Context) -> Row:
        found = _samples(ctx, kind, count)
        own, peer = found["pool"][what], found["gil-pool"][what]
        how = _how(ctx, whole, kind, count)
        return make_row(name, "ns", "lower", ctx.python, own, {BASELINE: peer}, how)

    measure.__doc__ = f"{whole.capitalize()}, {count:,} of them ({kind}): ReferencePool."
    add(name, measure, target=target)


def _register_owned(kind: str, count: int, target: Target | None) -> None:
    name = _name("owned", kind, count)

    def measure(ctx: Context) -> Row:
        found = _samples(ctx, kind, count)
        peers = {
            BASELINE: found["gil-pool-turn"]["turn"],
            "ReferencePool": found["pool-turn"]["turn"],
        }
        how = _how(ctx, "all of the loop and of the pool's end", kind, count)
        return make_row(name, "ns", "lower", ctx.python, found["owned"]["turn"], peers, how)

    measure.__doc__ = f"Owned handles instead of a pool, {count:,} objects ({kind})."
    add(name, measure, target=target)


_FILL = Target(1, "filled no slower than the old pool")
_DRAIN = Target(1, "drained faster than the old pool")
_OWNED = Target(1, "an Owned is faster than either pool")

for _kind in _KINDS:
    for _count in (1_000, 100_000):
        _held = _kind == "rows"
        # Larger pools are what one is warned of; memory is most of what they take, on both sides.
        _usual = _held and _count == 1_000
        _register_phase("fill", _kind, _count, _FILL if _usual else None)
        _register_phase("drain", _kind, _count, _DRAIN if _usual else None)
        _register_owned(_kind, _count, _OWNED if _held else None)
    # Too few for a clock in between.
    _register_owned(_kind, 10, None)
