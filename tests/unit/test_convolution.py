"""A convolution with batch norm and pooling is torch's three layers: outputs, derivatives of both orders, buffers."""

import copy

import pytest
import torch
from torch import Tensor, nn

from adaptive_sharpness.architectures.fast.convolution import PooledConvolution

CHANNELS = pytest.mark.parametrize("channels", [12, 16], ids=["its own", "torch's"])
TRAINING = pytest.mark.parametrize("training", [True, False], ids=["training", "eval"])


def _block(channels: int, dtype: torch.dtype = torch.float64) -> PooledConvolution:
    draw = torch.Generator().manual_seed(0)
    block = PooledConvolution(2, channels, 3, pool=2).to(dtype)
    for value in block.state_dict().values():
        if value.is_floating_point():
            value.copy_(torch.randn(value.shape, generator=draw))
    block[1].running_var.abs_()
    assert (block[1].weight < 0).any()
    assert (block[1].weight > 0).any()
    return block


def _images(dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(5, 2, 10, 8, dtype=dtype, generator=torch.Generator().manual_seed(1))


def _layers(block: PooledConvolution) -> nn.Sequential:
    return copy.deepcopy(nn.Sequential(*block))


def _rises(network: nn.Module, images: Tensor) -> list[Tensor]:
    """The outputs and the gradient of a curved function of them in the images and in all parameters."""
    images = images.clone().requires_grad_()
    outputs = network(images)
    weights = torch.linspace(-1, 2, outputs.numel(), dtype=outputs.dtype).reshape(outputs.shape)
    return [outputs, *torch.autograd.grad((weights * outputs).sin().sum(), [images, *network.parameters()])]


@CHANNELS
@TRAINING
@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last], ids=["rows", "channels last"])
def test_it_is_the_three_layers(channels, training, order):
    block = _block(channels).train(training).to(memory_format=order)
    found, wanted = (_rises(network, _images()) for network in (block, _layers(block).train(training)))
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


@CHANNELS
def test_the_running_statistics_become_those_of_the_three_layers(channels):
    block = _block(channels).train()
    layers = _layers(block)
    for images in (_images(), 2 * _images() + 1):
        block(images), layers(images)
    assert block[1].num_batches_tracked == layers[1].num_batches_tracked == 2
    torch.testing.assert_close(block.state_dict(), layers.state_dict(), rtol=1e-12, atol=1e-12)


def test_in_eval_mode_its_buffers_stay_as_they_are():
    block = _block(12).eval()
    before = copy.deepcopy(block.state_dict())
    block(_images())
    assert all(torch.equal(value, before[name]) for name, value in block.state_dict().items())


@TRAINING
def test_its_second_derivative_is_that_of_the_three_layers(training):
    block = _block(12).train(training)
    products = []
    for network in (block, _layers(block).train(training)):
        weights = list(network.parameters())
        slopes = torch.autograd.grad(network(_images()).square().sum(), weights, create_graph=True)
        along = sum((slope * weight.detach()).sum() for slope, weight in zip(slopes, weights, strict=True))
        products.append(torch.autograd.grad(along, weights))
    for one, other in zip(*products, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-8)


def test_in_training_its_bias_has_the_gradient_0_and_not_none_so_that_weight_decay_reaches_it():
    block = _block(12).train()
    block(_images()).sum().backward()
    assert torch.equal(block[0].bias.grad, torch.zeros(12, dtype=torch.float64))


@TRAINING
def test_in_float32_it_is_as_exact_as_the_three_layers(training):
    """Far from 0, where the variance is a small difference of large sums if nobody takes care."""
    images = _images() + 3
    exact = _rises(_layers(_block(12).train(training)).train(training), images)
    block = _block(12, torch.float32).train(training)
    for network in (block, _layers(block).train(training)):
        for one, other in zip(_rises(network, images.float())[:1], exact[:1], strict=True):
            torch.testing.assert_close(one.double(), other, rtol=1e-4, atol=1e-4)


def test_one_step_by_hand():
    """One channel, one kernel of one pixel, w = -2: outputs -2 x, of mean -5 and variance 5; gamma is -1, beta 10."""
    block = PooledConvolution(1, 1, 1, pool=2).double().train()
    block[0].weight.data.fill_(-2), block[0].bias.data.fill_(7)
    block[1].weight.data.fill_(-1), block[1].bias.data.fill_(10)
    block[1].eps = 0
    outputs = block(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]], dtype=torch.float64))
    assert outputs.item() == pytest.approx(10 + 3 / 5**0.5)  # the lowest of the convolution's, -8: -(-8 - -5) / sqrt(5)
    assert block[1].running_mean.item() == pytest.approx(0.1 * (7 - 5))
    assert block[1].running_var.item() == pytest.approx(0.9 + 0.1 * 5 * 4 / 3)
