"""The batches on which sharpness is measured."""

import pytest
import torch
from scipy.stats import chisquare

from adaptive_sharpness.landscape.batches import draw_batches
from adaptive_sharpness.landscape.randomness import generator


def test_a_batch_follows_from_the_seed_and_its_number_alone():
    batches = draw_batches(1000, 5, 64, seed=3)
    for position, batch in enumerate(batches):
        draw = generator(3, "sharpness batch", position)
        assert torch.equal(batch, torch.randint(1000, (64,), generator=draw))


def test_more_batches_leave_the_first_ones_as_they_are():
    assert torch.equal(draw_batches(1000, 50, 64, seed=0)[:7], draw_batches(1000, 7, 64, seed=0))


def test_batches_differ_from_each_other_and_with_the_seed():
    batches = torch.cat([draw_batches(1000, 20, 64, seed) for seed in (0, 1)])
    assert len(batches.unique(dim=0)) == 40


def test_batches_heed_no_global_seed_and_leave_it():
    torch.manual_seed(1)
    first, before = draw_batches(1000, 5, 64, seed=0), torch.get_rng_state()
    torch.rand(3)
    assert torch.equal(draw_batches(1000, 5, 64, seed=0), first)
    torch.manual_seed(1)
    assert torch.equal(torch.get_rng_state(), before)


def test_batches_are_drawn_uniformly():
    counts = torch.bincount(draw_batches(140, 500, 64, seed=0).flatten(), minlength=140)
    assert len(counts) == 140
    assert chisquare(counts).pvalue > 1e-3


def test_batches_are_drawn_with_replacement():
    """Of 64 draws from 140, 140 (1 - (139/140)^64) = 51.5 are distinct in the mean, give or take 2.6."""
    batches = draw_batches(140, 500, 64, seed=0)
    distinct = torch.tensor([len(batch.unique()) for batch in batches]).double()
    assert distinct.mean().item() == pytest.approx(140 * (1 - (139 / 140) ** 64), abs=5 * 2.62 / 500**0.5)
