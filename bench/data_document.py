"""The document of the data benchmarks: real tables and API models, in every form that is compared."""

from __future__ import annotations

import gzip
import importlib.util
import json
import marshal
import pickle
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import images
from harness.context import Context
from harness.errors import BenchError

ISO_CODES = Path("/usr/share/iso-codes/json")
SERVICES = ("s3", "dynamodb", "iam", "sqs", "sts")
LEAST_BYTES = 2_500_000
LOOKUPS = 1000
# Of the images whose hashes are filled in when they are made.
HASH_SEED = 1


@dataclass(frozen=True)
class Document:
    json: Path  # UTF-8, without spaces
    marshal: Path
    pickle: Path
    paths: Path  # marshalled: LOOKUPS tuples of keys and indices that lead to scalars
    image: Path
    described: str


def prepare(ctx: Context) -> Document:
    """Joins the document and writes it in every form; once a run."""
    return ctx.once("data document", lambda: _prepare(ctx))


def image(ctx: Context, kind: str, *options: object) -> Path:
    """The document frozen with these options; once a run for each kind."""

    def make() -> Path:
        path = ctx.folder / f"document-{kind}.tenure"
        images.freeze(ctx, [prepare(ctx).json, *options], path, command="freeze-data")
        return path

    return ctx.once(f"data document {kind}", make)


def fixed_image(ctx: Context) -> Path:
    return image(ctx, "fixed", "--hash", "fixed", "--hash-seed", HASH_SEED)


def _prepare(ctx: Context) -> Document:
    document = join()
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    if len(text) < LEAST_BYTES:
        raise BenchError(f"the document has only {len(text):,} bytes: iso-codes is not all there")
    folder = ctx.folder
    made = Document(
        folder / "document.json",
        folder / "document.marshal",
        folder / "document.pickle",
        folder / "document.paths",
        folder / "document.tenure",
        f"{len(text):,} bytes of JSON: the tables of iso-codes and botocore's models of "
        f"{', '.join(SERVICES)}",
    )
    made.json.write_bytes(text)
    # As a program that reads JSON and caches it otherwise would have them.
    parsed = json.loads(text)
    made.marshal.write_bytes(marshal.dumps(parsed))
    made.pickle.write_bytes(pickle.dumps(parsed, pickle.HIGHEST_PROTOCOL))
    made.paths.write_bytes(marshal.dumps(random_paths(parsed, LOOKUPS, seed=1)))
    images.freeze(ctx, [made.json], made.image, command="freeze-data")
    return made


def join() -> dict[str, Any]:
    """Raises BenchError when a package that has a part of it is not installed."""
    tables = sorted(ISO_CODES.glob("iso_*.json"))
    if not tables:
        raise BenchError("there are no tables of iso-codes: install it (Debian: iso-codes)")
    return {
        "iso": {table.stem: json.loads(table.read_bytes()) for table in tables},
        "services": {name: _service(name) for name in SERVICES},
    }


def _service(name: str) -> Any:
    """The newest model that botocore has of a service."""
    spec = importlib.util.find_spec("botocore")
    if spec is None or spec.origin is None:
        raise BenchError("this interpreter has no botocore: install it (Debian: python3-botocore)")
    found = sorted((Path(spec.origin).parent / "data" / name).glob("*/service-2.json*"))
    if not found:
        raise BenchError(f"botocore has no model of the service {name}")
    data = found[-1].read_bytes()
    return json.loads(gzip.decompress(data) if found[-1].suffix == ".gz" else data)


def random_paths(document: Any, count: int, seed: int) -> list[tuple[str | int, ...]]:
    """Ways from the top to scalars, each step chosen at random among what there is."""
    rng = random.Random(seed)
    paths = []
    while len(paths) < count:
        value: Any = document
        path: list[str | int] = []
        while isinstance(value, (dict, list)) and value:
            step = rng.randrange(len(value)) if isinstance(value, list) else rng.choice(list(value))
            path.append(step)
            value = value[step]
        if not isinstance(value, (dict, list)):
            paths.append(tuple(path))
    return paths


def is_prelinked(sample: dict[str, Any]) -> None:
    """Raises BenchError when a sample's image was not mapped as it is."""
    if not sample["prelinked"]:
        raise BenchError(
            "the image was relocated: it is not one of this very build of the interpreter"
        )


