"""Benchmarks share the copying of weights with the tests of layers."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "nn"))
