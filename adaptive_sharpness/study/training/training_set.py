"""The examples that a model is trained on: some of the data set's, with some labels replaced."""

from dataclasses import replace

import torch
from torch import Tensor

from adaptive_sharpness.datasets import Split
from adaptive_sharpness.landscape.randomness import generator
from adaptive_sharpness.study.config.training import Training

ORDER = 0  # the seed of which examples are kept: the same for all models, which are measured on the same batches


class TrainingSets:
    """What the models of a pool are trained on and measured on, by seed; the last one is kept.

    Args:
        training: how they are trained; None for models from elsewhere.
        split: the data set's training examples, on the CPU.
        device: where they are wanted.

    Example:
        >>> from adaptive_sharpness.datasets import Rows
        >>> rows = Rows(torch.zeros(4), torch.arange(4), shift=torch.tensor(0.0), scale=torch.tensor(1.0))
        >>> plain, noisy = (Training.model_construct(label_noise=share) for share in (0.0, 0.5))
        >>> sets = TrainingSets(plain, rows, torch.device("cpu"))
        >>> sets(0) is sets(1)
        True
        >>> sets = TrainingSets(noisy, rows, torch.device("cpu"))
        >>> sets(0).targets.tolist() == sets(1).targets.tolist()
        False
    """

    def __init__(self, training: Training | None, split: Split, device: torch.device):
        self._training, self._split, self._device = training, split, device
        self._made: dict[int, Split] = {}

    def __call__(self, seed: int) -> Split:
        seed = seed if self._training and self._training.label_noise else 0  # else all alike
        if seed not in self._made:
            split = training_set(self._training, self._split, seed) if self._training else self._split
            self._made = {seed: split.to(self._device)}
        return self._made[seed]


def training_set(training: Training, split: Split, seed: int) -> Split:
    """Return the examples that a model of this seed is trained on, which are also those that it is measured on.

    Args:
        training: how it is trained.
        split: the data set's training examples, on the CPU.
        seed: the model's seed.

    Returns:
        The split itself where the settings change nothing.

    Raises:
        ValueError: if there are not so many examples, or labels to be replaced are no classes.

    Example:
        >>> from adaptive_sharpness.datasets import Rows
        >>> rows = Rows(torch.arange(5.0), torch.arange(5), shift=torch.tensor(0.0), scale=torch.tensor(1.0))
        >>> few = Training.model_construct(examples=3)
        >>> [len(training_set(few, rows, seed)) for seed in (0, 1)]
        [3, 3]
    """
    few = split if training.examples is None else some_examples(split, training.examples)
    return with_label_noise(few, training.label_noise, seed, split.targets) if training.label_noise else few


def some_examples(split: Split, n: int) -> Split:
    """Return n examples drawn without replacement, in the data set's order: the same ones for every model.

    Drawn, since the first ones of a data set that is sorted are of one kind. Fewer examples are a part of more.

    Raises:
        ValueError: if there are fewer than n.

    Example:
        >>> from adaptive_sharpness.datasets import Rows
        >>> rows = Rows(torch.arange(5.0), torch.arange(5), shift=torch.tensor(0.0), scale=torch.tensor(1.0))
        >>> few, more = (set(some_examples(rows, n).targets.tolist()) for n in (2, 4))
        >>> len(few), few < more
        (2, True)
    """
    if n > len(split):
        raise ValueError(f"examples: got {n}, wanted at most {len(split)}, as many as the data set has for training")
    kept = torch.randperm(len(split), generator=generator(ORDER, "examples"))[:n].sort().values
    return split.chosen(kept.to(split.targets.device))


def with_label_noise(split: Split, share: float, seed: int, known: Tensor) -> Split:
    """Return the same examples, a share of their labels replaced by another class, each other one alike likely.

    Symmetric noise, of exactly the share, to the nearest whole label. Which labels, and by what, follows from
    (seed, "label_noise").

    Args:
        split: examples with classes as targets.
        share: from 0 to below 1.
        seed: the model's seed.
        known: targets that have the largest class.

    Raises:
        ValueError: if targets are no classes, or there is no other class.

    Example:
        >>> from adaptive_sharpness.datasets import Rows
        >>> rows = Rows(torch.zeros(4), torch.zeros(4).long(), shift=torch.tensor(0.0), scale=torch.tensor(1.0))
        >>> sorted(with_label_noise(rows, 0.5, seed=0, known=torch.tensor([1])).targets.tolist())
        [0, 0, 1, 1]
    """
    if split.targets.is_floating_point():
        raise ValueError(f"label_noise: got {share} for targets that are numbers, wanted classes")
    classes = int(known.max()) + 1
    if classes < 2:
        raise ValueError(f"label_noise: got {share} for targets of 1 class, wanted at least 2 classes")
    draw, targets = generator(seed, "label_noise"), split.targets.cpu().flatten().clone()
    chosen = torch.randperm(len(targets), generator=draw)[: round(share * len(targets))]
    targets[chosen] = (targets[chosen] + torch.randint(1, classes, chosen.shape, generator=draw)) % classes
    return replace(split, targets=targets.view_as(split.targets).to(split.targets.device))
