"""Random streams of numpy, each from (seed, purpose) alone."""

import hashlib

import numpy as np


def stream(seed: int, purpose: str) -> np.random.Generator:
    """Return a generator that depends on (seed, purpose) and on nothing else.

    Args:
        seed: a whole number.
        purpose: what the stream is for, such as "bootstrap".

    Returns:
        A fresh generator.

    Example:
        >>> one, other = stream(0, "bootstrap"), stream(0, "bootstrap")
        >>> one.integers(1000, size=3).tolist() == other.integers(1000, size=3).tolist()
        True
    """
    return np.random.default_rng(int.from_bytes(hashlib.sha256(f"{purpose} {seed}".encode()).digest()[:8]))
