"""Adaptive sharpness of a trained network, and its correlation with test loss."""

from importlib import import_module

__version__ = "0.1.0"
__all__ = ["average_case", "hessian", "worst_case"]


def __getattr__(name: str):
    """The measures, imported when first asked for: what only draws figures does not wait for torch."""
    if name in __all__:
        return getattr(import_module(f"{__name__}.measures.{name}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
