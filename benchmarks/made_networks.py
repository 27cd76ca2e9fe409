"""Networks of tens of millions of bytes, and made-up batches for them: what users of the library bring."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional

NETWORKS = ("resnet18", "vit", "mlp")
CLASSES = 10


@dataclass(frozen=True)
class Made:
    """A network in eval mode, a loss and a batch.

    Args:
        network: in eval mode.
        batch: inputs and targets.
    """

    network: nn.Module
    batch: tuple[Tensor, Tensor]
    loss: Callable[[Tensor, Tensor], Tensor] = functional.cross_entropy

    @property
    def megabytes(self) -> float:
        """What the parameters take."""
        return sum(each.nbytes for each in self.network.parameters()) / 1e6

    def gradient(self) -> None:
        """A plain forward and backward, as a step of training has it."""
        inputs, targets = self.batch
        self.network.zero_grad(set_to_none=True)
        self.loss(self.network(inputs), targets).backward()

    def settle(self, steps: int) -> None:
        """Train a little on the batch, which also gives the batch norms their statistics.

        Args:
            steps: of gradient descent.
        """
        optimiser = torch.optim.SGD(self.network.parameters(), lr=0.01, momentum=0.9)
        self.network.train()
        for _ in range(steps):
            self.gradient()
            optimiser.step()
        self.network.eval().zero_grad(set_to_none=True)


def made(name: str, device: str, *, smoke: bool) -> Made:
    """A network with its own initial weights, the same in every process.

    Args:
        name: one of NETWORKS.
        device: where it is wanted.
        smoke: whether a small one of the same kind will do.

    Returns:
        The network and its batch.
    """
    torch.manual_seed(0)
    network, rows, shape = {"resnet18": _resnet18, "vit": _vit, "mlp": _mlp}[name](smoke)
    inputs, targets = torch.randn(rows, *shape), torch.arange(rows) % CLASSES
    return Made(network.eval().to(device), (inputs.to(device), targets.to(device)))


def _resnet18(smoke: bool) -> tuple[nn.Module, int, tuple[int, ...]]:
    network = torchvision.models.resnet18(num_classes=CLASSES)
    if not smoke:
        return network, 32, (3, 32, 32)
    stem = (network.conv1, network.bn1, network.relu, network.maxpool)
    return nn.Sequential(*stem, network.layer1, network.avgpool, nn.Flatten(), nn.Linear(64, CLASSES)), 4, (3, 16, 16)


def _vit(smoke: bool) -> tuple[nn.Module, int, tuple[int, ...]]:
    size = {"num_layers": 1, "num_heads": 2, "hidden_dim": 32, "mlp_dim": 64}
    if not smoke:
        size = {"num_layers": 6, "num_heads": 6, "hidden_dim": 384, "mlp_dim": 1536}
    network = torchvision.models.VisionTransformer(image_size=32, patch_size=8, num_classes=CLASSES, **size)
    nn.init.normal_(network.heads.head.weight, std=0.02)  # torchvision's 0 would hide all that lies below
    return network, 4 if smoke else 32, (3, 32, 32)


def _mlp(smoke: bool) -> tuple[nn.Module, int, tuple[int, ...]]:
    width, hidden = (32, 1) if smoke else (2048, 6)
    layers = [nn.Linear(784, width), nn.ReLU()]
    for _ in range(hidden):
        layers += [nn.Linear(width, width), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(width, CLASSES)), 8 if smoke else 128, (784,)
