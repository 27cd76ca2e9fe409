"""Dropout drops the share that it is told, and scales what it keeps."""

import pytest
import torch

from adaptive_sharpness.architectures.fast.dropout import Dropout
from adaptive_sharpness.landscape.randomness import default_generator

X = torch.arange(1.0, 100_001)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_a_share_of_p_is_0_and_the_rest_is_scaled_to_the_same_expectation(p):
    with default_generator(0, "test"):
        kept = Dropout(p)(X)
    assert (kept == 0).double().mean().item() == pytest.approx(p, abs=5 * (p * (1 - p) / len(X)) ** 0.5)
    torch.testing.assert_close(kept[kept != 0], X[kept != 0] / (1 - p))


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_with_0_all_is_kept_and_with_1_nothing(p):
    assert torch.equal(Dropout(p)(X), (1 - p) * X)


def test_each_call_draws_anew_from_the_global_generator():
    layer = Dropout(0.5)
    with default_generator(0, "test"):
        first, second = layer(X), layer(X)
    with default_generator(0, "test"):
        again = layer(X)
    assert torch.equal(first, again)
    assert not torch.equal(first, second)


def test_the_gradient_is_the_mask():
    x = X.clone().requires_grad_()
    kept = Dropout(0.5)(x)
    (slope,) = torch.autograd.grad(kept.sum(), x)
    assert torch.equal(slope, (kept != 0) * 2.0)


def test_in_eval_mode_it_is_the_identity_and_draws_nothing():
    before = torch.get_rng_state()
    assert Dropout(0.5).eval()(X) is X
    assert torch.equal(torch.get_rng_state(), before)
