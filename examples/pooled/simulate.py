"""How long people wait at a counter, by simulation.

Usage: simulate.py [CUSTOMERS]
"""

import heapq
import random
import sys

from counter import Event, Wait, pool_statistics, trim_pools


class Rush(Event):
    """A customer who does not wait: classes in Python derive as from any other."""

    hurried = True


def simulate(customers: int, seed: int = 1) -> tuple[float, int]:
    """(the average wait, how many hurried)."""
    rng = random.Random(seed)
    total, hurried = 0.0, 0
    free_at, arrival = 0.0, 0.0
    upcoming: list[Event] = []
    for number in range(customers):
        arrival += rng.expovariate(1.0)
        kind = Rush if number % 50 == 49 else Event
        heapq.heappush(upcoming, kind(arrival, rng.expovariate(1.25)))
        # Nobody is more than a few ahead.
        if len(upcoming) < 20:
            continue
        event = heapq.heappop(upcoming)
        start = event.time if isinstance(event, Rush) else max(event.time, free_at)
        hurried += isinstance(event, Rush)
        total += Wait(event.time, start).length
        free_at = max(free_at, start) + event.action
    return total / customers, hurried


def main(customers: str = "100000") -> None:
    average, hurried = simulate(int(customers))
    print(f"average wait {average:.3f}, {hurried} hurried")
    print(pool_statistics())
    print(f"{trim_pools()} bytes given back")


if __name__ == "__main__":
    main(*sys.argv[1:])
