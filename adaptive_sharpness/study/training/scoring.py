"""The losses of a finished model."""

import logging
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from adaptive_sharpness.datasets import Dataset
from adaptive_sharpness.study.training.descent import evaluate

log = logging.getLogger(__name__)


def score(
    seed: int, network: nn.Module, dataset: Dataset, loss: Callable[..., Tensor]
) -> tuple[dict[str, float | None], Tensor]:
    """Return a model's train_loss, test_loss and accuracy, and the loss of every test example.

    Args:
        seed: the model's, for the log.
        network: in eval mode, on the splits' device.
        dataset: its splits.
        loss: of (outputs, targets, reduction).

    Returns:
        The three by name, and a tensor, [examples] float64 on the CPU.

    Example:
        >>> from adaptive_sharpness.datasets import Rows
        >>> inputs, targets = torch.tensor([[1.0], [3.0]]), torch.zeros(2, 1)
        >>> rows = Rows(inputs, targets, shift=torch.tensor(0.0), scale=torch.tensor(1.0))
        >>> score(0, nn.Identity(), Dataset(rows, rows.first(1)), nn.functional.mse_loss)
        ({'train_loss': 5.0, 'test_loss': 1.0, 'accuracy': None}, tensor([1.], dtype=torch.float64))
    """
    network.to(memory_format=torch.channels_last)  # as in training: a convolution rounds differently in another
    train_each, _ = evaluate(network, dataset.train, loss)
    test_each, accuracy = evaluate(network, dataset.test, loss)
    means = {"train_loss": train_each.mean().item(), "test_loss": test_each.mean().item()}
    log.info("seed %d train_loss %.6g test_loss %.6g", seed, *means.values())
    if not all(map(math.isfinite, means.values())):
        log.warning("seed %d diverged: it counts in no tau", seed)
    return {**means, "accuracy": accuracy}, test_each
