"""Every stream of random numbers follows from its names, and touches no other."""

import hashlib
from itertools import product

import numpy as np
import pytest
import torch

from adaptive_sharpness.landscape.randomness import default_generator, generator, number

PURPOSES = ("layers", "weights", "batches", "dropout", "sharpness batch")


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ((0, "weights"), "(0, 'weights')"),
        ((7, "batches", 3), "(7, 'batches', 3)"),
        ((12, "sharpness batch", 1, 49), "(12, 'sharpness batch', 1, 49)"),
    ],
)
def test_a_number_is_63_bits_of_the_hash_of_its_names(names, text):
    first_64_bits = hashlib.sha256(text.encode()).digest()[:8]
    assert number(*names) == int.from_bytes(first_64_bits, "little") // 2


def test_the_type_of_an_integer_does_not_matter():
    assert number(np.int64(3), "batches", torch.tensor(2)) == number(3, "batches", 2)


def test_no_two_streams_share_a_number():
    numbers = [number(*names) for names in product(range(50), PURPOSES, range(20))]
    assert len(set(numbers)) == 50 * len(PURPOSES) * 20
    assert all(0 <= each < 2**63 for each in numbers)


def test_streams_of_other_names_are_uncorrelated():
    names = [*product((0, 1, 2), ("weights", "batches"), (0, 1)), (0, "weights"), (1, "weights")]
    draws = torch.stack([torch.randn(10_000, generator=generator(*each)) for each in names])
    apart = torch.corrcoef(draws) - torch.eye(len(names))
    assert apart.abs().max() < 5 / 100  # five standard deviations of a correlation of 10 000 pairs


def test_a_generator_neither_heeds_nor_touches_the_default_one():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = torch.rand(5, generator=generator(3, "weights"))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(torch.rand(5, generator=generator(3, "weights")), first)


def _draw_within(seed: int, purpose: str) -> torch.Tensor:
    with default_generator(seed, purpose):
        return torch.rand(5)


def test_within_the_block_the_default_generator_follows_from_seed_and_purpose():
    torch.manual_seed(1)
    first = _draw_within(3, "dropout")
    torch.manual_seed(2)
    assert torch.equal(_draw_within(3, "dropout"), first)
    assert torch.equal(torch.rand(5, generator=generator(3, "dropout")), first)
    assert not torch.equal(_draw_within(4, "dropout"), first)
    assert not torch.equal(_draw_within(3, "layers"), first)


def test_after_the_block_the_default_generator_is_as_it_was():
    before = torch.get_rng_state()
    _draw_within(3, "dropout")
    assert torch.equal(torch.get_rng_state(), before)


def test_the_default_generator_is_restored_after_an_error_too():
    before = torch.get_rng_state()
    with pytest.raises(RuntimeError, match="size"), default_generator(3, "dropout"):
        torch.rand(5).reshape(2, 2)
    assert torch.equal(torch.get_rng_state(), before)
