"""What a trainer is given for a network, from what the settings name: optimiser, schedule and augmentation."""

import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from adaptive_sharpness import plugins
from adaptive_sharpness.study.config.training import Training
from adaptive_sharpness.study.training.augmentation import augmented
from adaptive_sharpness.study.training.clipping import clipped
from adaptive_sharpness.study.training.fitness import require_methods
from adaptive_sharpness.study.training.sam import sam_gradient
from adaptive_sharpness.study.training.steps import ChangedSteps
from adaptive_sharpness.study.training.stopping import most_epochs, most_steps


def plain_optimiser(training: Training, folder: str | Path = "plugins") -> Callable:
    """Return what makes an optimiser of parameters; torch's in one pass over memory, where it has one.

    Args:
        training: its optimiser.
        folder: the user's plug-ins.

    Returns:
        A function that raises ValueError where the optimiser does not fit.

    Example:
        >>> training = Training(optimiser={"name": "SGD", "lr": 0.1}, stop={"max_epochs": 1})
        >>> plain_optimiser(training)(nn.Linear(1, 1).parameters()).defaults["lr"]
        0.1
    """
    chosen = training.optimiser
    can_fuse = "fused" in (plugins.parameters("optimisers", chosen.name, folder) or {})
    fused = {"fused": True} if can_fuse and not {"foreach", "differentiable"} & chosen.options.keys() else {}
    return partial(_built, "optimisers", chosen.name, {**fused, **chosen.options}, ("step", "zero_grad"), folder)


def trainer_options(
    training: Training, network: nn.Module, examples: int, folder: str | Path = "plugins"
) -> dict[str, Any]:
    """Return what the trainer of one network is given by name, but for batch_size and stop.

    Args:
        training: how it is trained.
        network: the one that is trained.
        examples: how many there are for training.
        folder: the user's plug-ins.

    Returns:
        `optimiser`, from parameters to an optimiser; `schedule`, from that to a schedule, or None; `augmentation`, see
        `minibatches.train`, only where there is one; and the trainer's own options.

    Example:
        >>> training = Training(optimiser={"name": "SGD", "lr": 0.1}, clip={"norm": 1.0}, stop={"max_epochs": 1})
        >>> network = nn.Linear(1, 1)
        >>> given = trainer_options(training, network, examples=10)
        >>> type(given["optimiser"](network.parameters())).__name__, given["schedule"]
        ('ChangedSteps', None)
    """
    optimiser, schedule = plain_optimiser(training, folder), _schedule(training, examples, folder)
    changes = [] if training.sam is None else [partial(sam_gradient, network=network, sam=training.sam)]
    if training.clip is not None:
        changes.append(partial(clipped, weights=list(network.parameters()), clip=training.clip))
    each_step = schedule if schedule and training.schedule.per == "step" else None
    if changes or each_step:
        optimiser = partial(_changed, optimiser, changes, each_step)
    given = {"optimiser": optimiser, "schedule": None if each_step or not schedule else partial(_inside, schedule)}
    if training.augmentation:
        changed = [_built_of("augmentations", each.name, each.options, folder) for each in training.augmentation]
        given["augmentation"] = partial(augmented, changes=changed)
    return {**given, **training.trainer.options}


def _changed(optimiser: Callable, changes: list, schedule: Callable | None, parameters) -> ChangedSteps:
    return ChangedSteps(optimiser(parameters), changes, schedule)


def _inside(schedule: Callable, optimiser: Any) -> Any:
    """The schedule of the optimiser itself: torch's take one of torch alone."""
    return schedule(optimiser.optimiser if isinstance(optimiser, ChangedSteps) else optimiser)


def _schedule(training: Training, examples: int, folder: str | Path) -> Callable | None:
    """From an optimiser to its schedule."""
    chosen = training.schedule
    if chosen is None:
        return None
    taken = plugins.options("schedules", chosen.name, folder) or {}
    length = schedule_length(training, examples)
    filled = {key: value for key, value in length.items() if key in taken and key not in chosen.options}
    if {"epochs", "steps_per_epoch"} & chosen.options.keys():
        filled.pop("total_steps", None)
    return partial(_built, "schedules", chosen.name, {**filled, **chosen.options}, ("step",), folder)


def schedule_length(training: Training, examples: int) -> dict[str, int]:
    """Return how many steps a schedule takes at most, by the names under which schedules ask for it.

    Args:
        training: batch size, stop rule, and what the schedule's steps come after.
        examples: how many there are for training.

    Returns:
        Steps of the schedule: in all, `total_steps` and `T_max`; in an epoch, `steps_per_epoch`; and `epochs`.

    Example:
        >>> how = {"optimiser": {"name": "SGD", "lr": 0.1}, "batch_size": 4, "stop": {"max_epochs": 5}}
        >>> schedule_length(Training(schedule={"name": "OneCycleLR", "per": "step"}, **how), examples=10)
        {'total_steps': 15, 'T_max': 15, 'epochs': 5, 'steps_per_epoch': 3}
    """
    steps = math.ceil(examples / training.batch_size)
    epochs = most_epochs(training.stop, steps)
    each, total = (steps, most_steps(training.stop, steps)) if training.schedule.per == "step" else (1, epochs)
    return {"total_steps": total, "T_max": total, "epochs": epochs, "steps_per_epoch": each}


def _built(kind: str, name: str, options: Mapping[str, Any], methods: tuple[str, ...], folder, moved: Any) -> Any:
    """What a plug-in builds for what it moves, if it has these methods."""
    made = _built_of(kind, name, options, folder, moved)
    require_methods(f"{kind[:-1]} {name}", made, *methods)
    return made


def _built_of(kind: str, name: str, options: Mapping[str, Any], folder, *moved: Any) -> Any:
    build = plugins.resolve(kind, name, folder)
    try:
        return build(*moved, **options)
    except Exception as error:  # whatever torch finds wrong with them
        if plugins.file(kind, name, folder):  # the user's own, whose place an error inside it names
            raise
        raise ValueError(f"{kind[:-1]} {name}: options {dict(options)} do not fit: {plugins.reason(error)}") from error
