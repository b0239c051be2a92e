"""Puts the folder bench on the path, as running one of its programs does."""

import sys
from pathlib import Path

BENCH = Path(__file__).absolute().parents[2] / "bench"
sys.path.insert(0, str(BENCH))
