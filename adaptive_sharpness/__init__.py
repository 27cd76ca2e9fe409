"""Adaptive sharpness of a trained network, and its correlation with test loss."""

from importlib import import_module

__version__ = "0.2.0"
__all__ = ["average_case", "hessian", "worst_case"]
NEEDED = {"torch": "library"}  # what to install for a measure, and the extra that brings it


def __getattr__(name: str):
    """The measures, imported when first asked for: statistics and figures do without torch."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.measures.{name}"), name)
    except ModuleNotFoundError as error:
        if error.name not in NEEDED:
            raise
        wanted = f"pip install 'adaptive-sharpness[{NEEDED[error.name]}]'"
        raise ImportError(f"{name}: got no {error.name}, wanted it installed: {wanted}") from None


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
