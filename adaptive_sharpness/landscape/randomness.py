"""Randomness as an explicit argument: every stream of numbers follows from (seed, purpose)."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def number(seed: int, purpose: str, *more: int) -> int:
    """A 63-bit number that depends on (seed, purpose, more) and on nothing else.

    Args:
        seed: the model's seed, or that of the measure.
        purpose: what the stream is for, such as "weights" or "batches".
        more: further numbers that tell streams apart, such as the epoch.

    Returns:
        An integer in [0, 2**63), equal on every machine.

    Example:
        >>> digest = hashlib.sha256(b"(0, 'weights')").digest()
        >>> number(0, "weights") == int.from_bytes(digest[:8], "little") // 2
        True
    """
    digest = hashlib.sha256(repr((int(seed), purpose, *map(int, more))).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def generator(seed: int, purpose: str, *more: int) -> torch.Generator:
    """A generator on the CPU, so that the same numbers come out whatever device computes with them.

    Args: as in `number`.

    Returns:
        A fresh torch.Generator.

    Example:
        >>> generator(0, "batches", 3).initial_seed() == number(0, "batches", 3)
        True
    """
    return torch.Generator().manual_seed(number(seed, purpose, *more))


@contextmanager
def default_generator(seed: int, purpose: str, *more: int) -> Iterator[None]:
    """Within the block torch's default generator follows from (seed, purpose, more); after it, it is as it was before.

    For what accepts no generator: dropout layers, changes of images, and the default initialisation of layers.

    Args: as in `number`.

    Example:
        >>> before = torch.get_rng_state()
        >>> with default_generator(0, "dropout"):
        ...     _ = torch.rand(1)
        >>> torch.equal(torch.get_rng_state(), before)
        True
    """
    with torch.random.fork_rng():
        torch.manual_seed(number(seed, purpose, *more))
        yield
