"""What the measures accept for their options; every refusal is one line that says what was got and what is wanted."""

import math
from collections.abc import Collection
from numbers import Integral, Real


def radius(rho: float) -> float:
    """The radius as a number of Python; a tensor or an array of no dimensions is one, too.

    Raises:
        ValueError: if it is no number, not finite, or negative.

    Example:
        >>> radius(-1)
        Traceback (most recent call last):
        ValueError: rho: got -1, wanted a finite number, at least 0
    """
    number = rho.item() if getattr(rho, "ndim", None) == 0 else rho
    if not _is_number(number) or not 0 <= number < math.inf:
        raise ValueError(f"rho: got {rho!r}, wanted a finite number, at least 0")
    return float(number)


def whole(name: str, value: int, least: int) -> None:
    """Refuse what is no whole number, or is too small.

    Raises:
        ValueError: if it is.

    Example:
        >>> whole("steps", 2.5, least=1)
        Traceback (most recent call last):
        ValueError: steps: got 2.5, wanted a whole number, at least 1
    """
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name}: got {value!r}, wanted a whole number, at least {least}")


def one_of(name: str, value: str, choices: Collection[str], *, further: str = "") -> None:
    """Refuse what is none of the choices.

    Args:
        name: of the option.
        value: what was given.
        choices: what it may be.
        further: what else it may be, in words.

    Raises:
        ValueError: if it is not.

    Example:
        >>> one_of("norm", "l3", ("linf", "l2"))
        Traceback (most recent call last):
        ValueError: norm: got 'l3', wanted one of linf, l2
    """
    if not isinstance(value, str) or value not in choices:
        wanted = ", ".join(choices) + (f", or {further}" if further else "")
        raise ValueError(f"{name}: got {value!r}, wanted one of {wanted}")


def positive(name: str, value: float | None) -> None:
    """Refuse what is neither None nor a number above 0.

    Raises:
        ValueError: if it is neither.

    Example:
        >>> positive("tolerance", -1)
        Traceback (most recent call last):
        ValueError: tolerance: got -1, wanted a finite number above 0, or none
    """
    if value is not None and (not _is_number(value) or not 0 < value < math.inf):
        raise ValueError(f"{name}: got {value!r}, wanted a finite number above 0, or none")


def _is_number(value) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
