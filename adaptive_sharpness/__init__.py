"""Adaptive sharpness of a trained network, and its correlation with test loss.

Each measure is a function: `from adaptive_sharpness import worst_case` imports it from adaptive_sharpness/measures/.
"""

from importlib import import_module
from pathlib import Path

__version__ = "0.1.0"


def __getattr__(name: str):
    # When it is asked for and not before: what needs no torch, such as the tables, does not wait for it.
    if (Path(__file__).parent / "measures" / f"{name}.py").exists():
        return getattr(import_module(f"{__name__}.measures.{name}"), name)
    raise AttributeError(f"module {__name__} has no attribute {name}")
