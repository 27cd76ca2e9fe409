"""What the measures accept for their options; every refusal is one line that says what was got and what is wanted."""

import math
from collections.abc import Collection
from numbers import Integral, Real


def radius(rho: float) -> None:
    """Refuse a rho that is no radius.

    Raises:
        ValueError: if it is no number, not finite, or negative.

    Example:
        >>> radius(-1)
        Traceback (most recent call last):
        ValueError: rho: got -1, wanted a finite number, at least 0
    """
    if not _is_number(rho) or not 0 <= rho < math.inf:
        raise ValueError(f"rho: got {rho!r}, wanted a finite number, at least 0")


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


def one_of(name: str, value: str, choices: Collection[str]) -> None:
    """Refuse what is none of the choices.

    Raises:
        ValueError: if it is not.

    Example:
        >>> one_of("norm", "l3", ("linf", "l2"))
        Traceback (most recent call last):
        ValueError: norm: got 'l3', wanted one of linf, l2
    """
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name}: got {value!r}, wanted one of {', '.join(choices)}")


def step_length(rate: float | None) -> None:
    """Refuse a rate that is neither None nor a step length.

    Raises:
        ValueError: if it is no number, not finite, or not above 0.

    Example:
        >>> step_length(0)
        Traceback (most recent call last):
        ValueError: rate: got 0, wanted a finite number above 0, or none
    """
    if rate is not None and (not _is_number(rate) or not 0 < rate < math.inf):
        raise ValueError(f"rate: got {rate!r}, wanted a finite number above 0, or none")


def _is_number(value) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
