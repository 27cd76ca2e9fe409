"""Random streams of numpy, each from (seed, purpose) alone; for what runs after measuring, without torch."""

import hashlib

import numpy as np


def stream(seed: int, purpose: str) -> np.random.Generator:
    """A generator that depends on (seed, purpose) and on nothing else.

    Args:
        seed: the table's.
        purpose: what the stream is for, such as "bootstrap".

    Returns:
        A fresh generator.
    """
    return np.random.default_rng(int.from_bytes(hashlib.sha256(f"{purpose} {seed}".encode()).digest()[:8]))
