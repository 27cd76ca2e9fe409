"""A convolution with batch norm and max pooling: torch's layers, in fewer passes over what the convolution gives."""

import torch
from torch import Tensor, nn
from torch.nn import functional

VECTOR = 16  # float32 numbers in a vector register: torch's batch norm is slow for other numbers of channels


class PooledConvolution(nn.Sequential):
    """Conv2d, BatchNorm2d, MaxPool2d: weights, buffers and function of these three layers, which it holds.

    Batch norm (Ioffe & Szegedy 2015) is an affine map of each channel: of y = k * x + b it makes s y + t, with

        s = gamma / sqrt(var + eps),  t = beta - s mean

    In eval mode the convolution takes it in, (s k) * x + (s b + t). In training, where mean and var are those of the
    batch, the maximum is taken first, of sign(s) y, which leaves batch norm a quarter of the numbers. Torch's layers
    are called where they are as fast: on a GPU, and for channels that fill vector registers. Results are those of the
    layers but for rounding.

    Args:
        inputs: input channels.
        outputs: output channels.
        side: of the kernels, in pixels.
        pool: side of the squares of which the maximum is taken, in pixels.
    """

    def __init__(self, inputs: int, outputs: int, side: int, pool: int):
        super().__init__(nn.Conv2d(inputs, outputs, side), nn.BatchNorm2d(outputs), nn.MaxPool2d(pool))

    def forward(self, images: Tensor) -> Tensor:
        """The outputs, [n, outputs, ...], of images, [n, inputs, height, width].

        Example:
            >>> layer, images = PooledConvolution(1, 2, side=3, pool=2).eval(), torch.rand(4, 1, 8, 8)
            >>> convolution, norm, pool = layer
            >>> torch.allclose(layer(images), pool(norm(convolution(images))), atol=1e-6)
            True
        """
        convolution, norm, pool = self
        if not norm.training:
            scale, shift = self._affine(norm.running_mean, norm.running_var)
            return pool(functional.conv2d(images, convolution.weight * scale[:, None, None, None], shift))
        if images.is_cuda or norm.num_features % VECTOR == 0:
            return super().forward(images)
        sign = torch.where(norm.weight.detach() < 0, -1, 1)
        signed = functional.conv2d(images, convolution.weight * sign[:, None, None, None])
        mean, var = self._statistics(signed)
        mean = sign * mean + convolution.bias
        self._remember(mean, var, signed.numel() // len(sign))
        scale, shift = self._affine(mean, var)
        return torch.addcmul(shift, pool(signed).permute(0, 2, 3, 1), sign * scale).permute(0, 3, 1, 2)

    def _affine(self, mean: Tensor, var: Tensor) -> tuple[Tensor, Tensor]:
        """s and s b + t."""
        convolution, norm, _ = self
        scale = norm.weight * torch.rsqrt(var + norm.eps)
        return scale, torch.addcmul(norm.bias, convolution.bias - mean, scale)

    def _statistics(self, signed: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of each channel over examples and positions."""
        examples, channels, height, width = signed.shape
        rows = signed.permute(0, 2, 3, 1).reshape(examples * height, width * channels)
        count = examples * height * width
        mean, square = (sums.view(width, channels).sum(0) / count for sums in _Sums.apply(rows))
        return mean, square - mean * mean

    @torch.no_grad()
    def _remember(self, mean: Tensor, var: Tensor, count: int) -> None:
        norm = self[1]
        norm.num_batches_tracked += 1
        norm.running_mean.lerp_(mean, norm.momentum)
        norm.running_var.lerp_(var * (count / (count - 1)), norm.momentum)


class _Sums(torch.autograd.Function):
    """The sums of columns and of their squares; as torch's sums, but the derivative is one pass over the rows."""

    @staticmethod
    def forward(rows: Tensor) -> tuple[Tensor, Tensor]:
        return rows.sum(0), rows.square().sum(0)

    @staticmethod
    def setup_context(ctx, inputs: tuple, outputs: tuple) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, of_sums: Tensor, of_squares: Tensor) -> Tensor:
        (rows,) = ctx.saved_tensors
        return torch.addcmul(of_sums, rows, 2 * of_squares)
