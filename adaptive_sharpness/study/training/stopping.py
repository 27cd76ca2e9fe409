"""When training ends: after how many epochs or steps, or at which loss."""

import math
from collections.abc import Callable, Sequence

from torch import Tensor, nn

from adaptive_sharpness.datasets import Split
from adaptive_sharpness.study.config.training import Stop
from adaptive_sharpness.study.training.descent import Epoch, evaluate, is_stopped


def most_epochs(stop: Stop, steps_an_epoch: int) -> int:
    """Return the most epochs that a rule allows; the last may have fewer steps than others.

    Example:
        >>> most_epochs(Stop(max_epochs=7), 10), most_epochs(Stop(rule="max_steps", max_steps=25), 10)
        (7, 3)
    """
    return stop.max_epochs or math.ceil(stop.max_steps / steps_an_epoch)


def most_steps(stop: Stop, steps_an_epoch: int) -> int:
    """Return the most steps that a rule allows.

    Example:
        >>> most_steps(Stop(max_epochs=7), 10), most_steps(Stop(rule="max_steps", max_steps=25), 10)
        (70, 25)
    """
    return stop.max_steps or stop.max_epochs * steps_an_epoch


def stop_rule(
    stop: Stop, network: nn.Module, split: Split, loss: Callable[..., Tensor], steps_an_epoch: int
) -> Callable[[Sequence[Epoch]], bool]:
    """Return what says, after every epoch, whether training ends; see `descent.descend`.

    Args:
        stop: the rule. `loss_below` measures the mean loss of all training examples in eval mode.
        network: the one that is trained.
        split: the training examples.
        loss: of (outputs, targets, reduction).
        steps_an_epoch: of a whole epoch.

    Example:
        >>> import torch
        >>> from adaptive_sharpness.datasets import Rows
        >>> rows = Rows(torch.ones(1, 1), torch.zeros(1, 1), shift=torch.tensor(0.0), scale=torch.tensor(1.0))
        >>> network, stop = nn.Linear(1, 1, bias=False), Stop(rule="loss_below", loss=0.5, max_epochs=9)
        >>> ends = stop_rule(stop, network, rows, nn.functional.mse_loss, steps_an_epoch=1)
        >>> _ = nn.init.constant_(network.weight, 0.5)  # a loss of 0.25
        >>> ends([Epoch(1.0, 1.0)])
        True
    """
    limited = stop.model_copy(update={"max_epochs": most_epochs(stop, steps_an_epoch)})

    def ends(epochs: Sequence[Epoch]) -> bool:
        if is_stopped([epoch.mean for epoch in epochs], limited):
            return True
        return stop.rule == "loss_below" and _mean_loss(network, split, loss) < stop.loss

    return ends


def _mean_loss(network: nn.Module, split: Split, loss: Callable[..., Tensor]) -> float:
    each, _ = evaluate(network.eval(), split, loss)
    network.train()
    return each.mean().item()
