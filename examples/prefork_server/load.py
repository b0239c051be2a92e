"""A load for the server of this folder, in a process of its own: asks until each worker has answered
enough, checks what it is told, and prints how much each one answered, as JSON.

    python3 load.py PORT WORKERS REQUESTS [SEED]
"""

from __future__ import annotations

import http.client
import json
import random
import sys
from collections import Counter
from urllib.parse import quote

LANGUAGES = ("en", "de", "fr", "es", "ja", "ru", "uk", "pl", "pt", "zh-hans")
COUNTRIES = "DE FR GB US JP CN IN BR ZA NG AU NZ CA MX AR IT ES PT PL UA SE NO FI DK TR EG KE".split()
CURRENCIES = "EUR USD GBP JPY CNY INR BRL ZAR NGN AUD".split()
WORDS = "sign language arabic creole northern southern western eastern old middle land".split()

# More than this many times what was asked for is a server that leaves a worker idle.
MOST = 20


def choose(random: random.Random) -> tuple[str, str]:
    """(path, what its answer has in it)."""
    kind = random.randrange(10)
    if kind < 4:
        code = random.choice(COUNTRIES)
        return f"/country/{code}", f"<dd>{code}<"
    if kind < 8:
        letter = random.choice("abcdefghijklmnopqrstuvwxyz")
        return f"/languages/{letter}?from={50 * random.randrange(8)}", f"<title>{letter.upper()}<"
    if kind < 9:
        return f"/search?q={quote(random.choice(WORDS))}", '"countries"'
    code = random.choice(CURRENCIES)
    return f"/currency/{code}", f'"{code}"'


def ask(port: int, path: str, language: str) -> tuple[str, str]:
    """(the worker that answered, the answer)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path, headers={"Accept-Language": language})
        response = connection.getresponse()
        text = response.read().decode()
        if response.status != 200:
            raise SystemExit(f"{path}: {response.status} {response.reason}")
        return response.headers["X-Worker"], text
    finally:
        connection.close()


def main(port: int, workers: int, requests: int, seed: int = 0) -> None:
    chooser = random.Random(seed)
    answered: Counter[str] = Counter()
    while len(answered) < workers or min(answered.values()) < requests:
        if answered.total() > MOST * workers * requests:
            raise SystemExit(f"a worker is idle: {dict(answered)}")
        path, expected = choose(chooser)
        worker, text = ask(port, path, chooser.choice(LANGUAGES))
        if expected not in text:
            raise SystemExit(f"{path}: no {expected} in {text[:200]!r}")
        answered[worker] += 1
    print(json.dumps(answered))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
