"""The notebooks' way: a DataLoader with per-image transforms, default threads, one model and one batch at a time.

A plain loop written for comparison, of the report's text (`report`) and of what its released notebooks do (`released`).
Only the random numbers are the study's, so that both ways compute the same.
"""

import copy
from collections.abc import Callable, Iterable, Iterator
from functools import cache

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader
from torch_geometric.nn import GAT
from torchvision import transforms

from adaptive_sharpness.architectures.fast.convolution import PooledConvolution
from adaptive_sharpness.datasets import Dataset, Nodes, Split
from adaptive_sharpness.landscape.batches import draw_batches
from adaptive_sharpness.landscape.randomness import default_generator, generator
from adaptive_sharpness.study.config.pools import PoolSettings
from adaptive_sharpness.study.training.descent import shuffled_batches
from adaptive_sharpness.study.training.networks import initial_network
from benchmarks.work import Work

SIZE = 64
Loss = Callable[[nn.Module], Tensor]

read = cache(Dataset.read)


class Examples(torch.utils.data.Dataset):
    """One example at a time; an image goes through PIL, as torchvision's data sets have it."""

    def __init__(self, split: Split):
        self._split = split
        pixels = 255.0  # ToTensor divides by it
        self._transform = transforms.Compose(
            [
                transforms.ToTensor(),
                transforms.Normalize((split.shift.item() / pixels,), (split.scale.item() / pixels,)),
            ]
        )

    def __len__(self) -> int:
        return len(self._split)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        value, target = self._split.inputs[index], self._split.targets[index]
        return (value if value.is_floating_point() else self._transform(Image.fromarray(value[0].numpy()))), target


def batches(work: Work, split: Split, indices: Iterable[Tensor]) -> Iterator[Loss]:
    """The losses of batches, one after the other, each a function of a network."""
    loss = getattr(functional, work.settings.loss)
    if isinstance(split, Nodes):
        for index in indices:
            yield lambda network, i=index: loss(network(split.x, split.edge_index)[split.nodes[i]], split.targets[i])
    else:
        listed = [index.tolist() for index in indices]
        # With a generator of its own, a DataLoader draws nothing from the one that dropout draws from.
        for inputs, targets in DataLoader(Examples(split), batch_sampler=listed, generator=torch.Generator()):
            yield lambda network, x=inputs, y=targets: loss(network(x), y)


def train(work: Work, seed: int) -> tuple[nn.Module, float, float]:
    """Train one model.

    Args:
        work: what to do.
        seed: the model's.

    Returns:
        The network in eval mode, its training loss and its test loss.
    """
    dataset, pool = read(work.dataset), work.settings
    split, how = dataset.train, pool.training.trainer.options
    network = as_released(pool, initial_network(pool, seed)).train()
    optimiser = torch.optim.SGD(network.parameters(), **pool.training.optimiser.options)
    with default_generator(seed, "dropout"):
        for epoch in range(pool.training.stop.max_epochs):
            total = 0.0
            for loss in batches(work, split, shuffled_batches(split, seed, epoch, SIZE)):
                # FCNN_model.ipynb draws a batch and does not use it.
                loss = whole(work, split) if how.get("full_batch") else loss
                optimiser.zero_grad()
                value = loss(network)
                value.backward()
                optimiser.step()
                total += value.item()
            network.train(not how.get("eval_after_first"))
    network.eval()
    return network, evaluate(work, network, split), evaluate(work, network, dataset.test)


def as_released(pool: PoolSettings, network: nn.Module) -> nn.Module:
    """The network as the notebooks build it: of torch's layers, and torch_geometric's on features mostly zero.

    Dropout stays the study's: it draws other random numbers than torch's, of which both ways are to have the same.

    Args:
        pool: the pool's settings, its architecture named.
        network: the study's, with initial weights.

    Returns:
        A network of the same weights.
    """
    if pool.architecture != "gat":
        return nn.Sequential(*_torchs(list(network)))
    how = pool.options
    own = GAT(
        *(how["features"], how["hidden"], how["layers"], how["classes"]),
        dropout=how["dropout"],
        act=how["activation"],
        heads=how["heads"],
    )
    own.load_state_dict(network.state_dict())
    return own


def _torchs(layers: list[nn.Module]) -> Iterator[nn.Module]:
    """The layers that each stands for, ReLU before the pool as in LeNet5_model.ipynb."""
    for layer in layers:
        if isinstance(layer, PooledConvolution):
            convolution, norm, pool = layer
            yield from (convolution, norm, nn.ReLU(), pool)
        elif not (isinstance(layer, nn.ReLU) and isinstance(layers[layers.index(layer) - 1], PooledConvolution)):
            yield layer


def whole(work: Work, split: Split) -> Loss:
    """The loss of all examples at once."""
    loss = getattr(functional, work.settings.loss)
    return lambda network: loss(network(split.inputs), split.targets)


@torch.no_grad()
def evaluate(work: Work, network: nn.Module, split: Split) -> float:
    """The mean loss over examples."""
    parts = torch.arange(len(split)).split(len(split) if isinstance(split, Nodes) else SIZE)
    losses = [loss(network).item() for loss in batches(work, split, parts)]
    return sum(value * len(part) for value, part in zip(losses, parts, strict=True)) / len(split)


class Ascent:
    """Gradient steps on a copy of a network, clamped to w +- rho |w|, or to crossed bounds."""

    def __init__(self, work: Work, network: nn.Module, *, crossed: bool = False):
        self.network, self._rate = copy.deepcopy(network), work.settings.training.optimiser.options["lr"]
        self._rho, self._crossed = work.rho, crossed
        self.centre()

    def centre(self) -> None:
        """Let the ball lie around the weights as they are now."""
        self._centre = [w.detach().clone() for w in self.network.parameters()]

    def step(self, loss: Loss, *, project: bool = True) -> float:
        """Climb once; the loss before the step."""
        value = loss(self.network)
        self.network.zero_grad()
        value.backward()
        with torch.no_grad():
            for weight, centre in zip(self.network.parameters(), self._centre, strict=True):
                weight += self._rate * weight.grad
                if project:
                    reach = self._rho * (centre if self._crossed else centre.abs())
                    weight.copy_(torch.clamp(weight, centre - reach, centre + reach))
        return value.item()


def report(work: Work, network: nn.Module, seed: int) -> list[float]:
    """The rise found on each batch: 5 steps from w, the highest loss after a step, minus the loss at w.

    Args:
        work: what to do.
        network: in eval mode.
        seed: not used: all models meet the same batches.

    Returns:
        A number a batch.
    """
    split, way, found = read(work.dataset).train, work.measurement, []
    for loss in batches(work, split, draw_batches(len(split), way.batches, SIZE, way.seed)):
        ascent = Ascent(work, network)
        losses = [ascent.step(loss) for _ in range(way.options["steps"])]
        with torch.no_grad():
            losses.append(loss(ascent.network).item())
        found.append(max(losses[1:]) - losses[0])
    return found


def released(work: Work, network: nn.Module, seed: int) -> list[float]:
    """What the notebook of this network calls its sharpness: numbers whose mean it reports.

    Args:
        work: what to do.
        network: in eval mode.
        seed: the model's.

    Returns:
        The numbers.
    """
    return {"fcnn": _fcnn, "lenet5": _lenet5, "gat": _gat}[work.settings.architecture](work, network, seed)


def _fcnn(work: Work, network: nn.Module, seed: int) -> list[float]:
    split, ascent, losses = read(work.dataset).train, Ascent(work, network, crossed=True), []
    epochs = work.measurement.options.get("epochs", 6)
    for epoch in range(epochs):
        for _ in batches(work, split, shuffled_batches(split, seed, epoch, SIZE)):
            losses.append(ascent.step(whole(work, split)))
    with torch.no_grad():
        losses.append(whole(work, split)(ascent.network).item())
    before, steps = losses[0], (len(losses) - 1) // epochs
    after = [losses[1 + epoch * steps : 1 + (epoch + 1) * steps] for epoch in range(epochs)]
    return [max(after, key=sum)[-1] - before]


def _lenet5(work: Work, network: nn.Module, seed: int) -> list[float]:
    split, ascent, after, first = read(work.dataset).train, Ascent(work, network), [], True
    before = evaluate(work, network, split)
    with default_generator(seed, "released dropout"):
        for epoch in range(work.measurement.options.get("epochs", 5)):
            ascent.network.train()
            order = torch.randperm(len(split), generator=generator(seed, "released batches", epoch))
            for loss in batches(work, split, order.split(SIZE)):
                ascent.step(loss, project=not first)
                if first:
                    ascent.centre()
                first = False
            after.append(evaluate(work, ascent.network.eval(), split))
    return [max(after) - before]


def _gat(work: Work, network: nn.Module, seed: int) -> list[float]:
    split, shuffles = read(work.dataset).train, generator(seed, "released masks")
    trials, steps = work.measurement.options.get("trials", 5), 5

    @torch.no_grad()
    def score(scored: nn.Module) -> float:
        order = torch.randperm(len(split), generator=shuffles)
        return sum(loss(scored).item() for loss in batches(work, split, order.split(SIZE)))

    with default_generator(seed, "released dropout"):
        before, found = score(copy.deepcopy(network).train()), []
        for nodes in draw_batches(len(split), trials, SIZE, seed):
            ascent = Ascent(work, network.train())
            (loss,) = batches(work, split, [nodes.unique()])
            scores = []
            for _ in range(steps):
                ascent.step(loss)
                scores.append(score(ascent.network))
            found.append(max(scores) - before)
    return found
