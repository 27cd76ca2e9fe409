"""Lines about blocks `training` that contradict themselves, or the plug-ins that there are."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from adaptive_sharpness import plugins
from adaptive_sharpness.study.config.messages import short
from adaptive_sharpness.study.config.option_lines import is_number, spellable, with_options
from adaptive_sharpness.study.config.training import RULE_KEYS, Schedule, Stop, Training

BY_MODEL = ("loss_below", "max_steps")  # rules that ask more than the mean loss of an epoch
KNOWN_LENGTH = (
    "T_max",
    "total_steps",
    "epochs",
    "steps_per_epoch",
)  # what a schedule is told anyway
HAVE_ETA = ("adaptive", "filter", "neuron")  # scales that may be 0
Check = tuple[str, Callable[[Any], bool]]


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(is_number, value))


RATES: dict[str, Check] = {  # what optimisers call alike
    "lr": ("a learning rate, above 0", lambda value: is_number(value) and value > 0),
    "momentum": ("a number from 0 to below 1", lambda value: is_number(value) and 0 <= value < 1),
    "weight_decay": ("a number, at least 0", lambda value: is_number(value) and value >= 0),
}
OF_TORCH: dict[str, Check] = {  # what torch's optimisers take besides
    "betas": ("two numbers from 0 to below 1", lambda value: _is_pair(value) and all(0 <= each < 1 for each in value)),
    "etas": ("a number above 0 and below 1, and one above 1", lambda v: _is_pair(v) and 0 < v[0] < 1 < v[1]),
    "step_sizes": ("two numbers, the least and the largest step", _is_pair),
    "rho": ("a number from 0 to 1", lambda value: is_number(value) and 0 <= value <= 1),
    "alpha": RATES["weight_decay"],
    "lr_decay": RATES["weight_decay"],
    "momentum_decay": RATES["weight_decay"],
    "initial_accumulator_value": RATES["weight_decay"],
    "capturable": ("false: no graph of CUDA is made", lambda value: value is False),
    "differentiable": ("false: weights change in place", lambda value: value is False),
}


def training_lines(where: str, training: Training, folder: str) -> Iterator[str]:
    """Yield a line about each thing that is wrong with how a pool is trained.

    Args:
        where: the place of the block.
        training: the block.
        folder: the user's plug-ins.

    Example:
        >>> training = Training(optimiser={"name": "SGD", "lr": 0}, stop={"max_epochs": 3})
        >>> list(training_lines("training", training, "plugins"))
        ['training.optimiser.lr: got 0, wanted a learning rate, above 0']
    """
    yield from _rates(f"{where}.optimiser", training.optimiser.options, RATES)
    yield from _plugins(where, training, folder)
    if training.optimiser.name in plugins.torch_names("optimisers"):
        yield from _rates(f"{where}.optimiser", training.optimiser.options, OF_TORCH)
    yield from _stop(f"{where}.stop", training.stop)
    yield from _gradients(where, training)
    yield from _other_trainer(where, training, folder)


def _plugins(where: str, training: Training, folder: str) -> Iterator[str]:
    """Names that nothing has, and options that a plug-in does not take."""
    for key, kind in plugins.NAMED_BY_TRAINING.items():
        chosen, at = getattr(training, key), f"{where}.{key}"
        if chosen is not None:
            known = dict.fromkeys(KNOWN_LENGTH) if key == "schedule" else {}
            yield from with_options(
                f"{at}.name", at, kind, chosen.name, chosen.options, folder, {**known, **chosen.options}, type(chosen)
            )
            yield from spellable(at, chosen.options)
    for position, chosen in enumerate(training.augmentation):
        at = f"{where}.augmentation[{position}]"
        yield from with_options(
            f"{at}.name", at, "augmentations", chosen.name, chosen.options, folder, block=type(chosen)
        )
        yield from spellable(at, chosen.options)
    yield from _schedule(f"{where}.schedule", training.schedule)


def _schedule(where: str, schedule: Schedule | None) -> Iterator[str]:
    if schedule and schedule.name == "ReduceLROnPlateau" and schedule.per == "step":
        yield f"{where}.per: got 'step', wanted epoch: ReduceLROnPlateau takes the epoch's mean training loss"
    last = schedule.options.get("last_epoch", -1) if schedule else -1
    if last != -1:
        yield f"{where}.last_epoch: got {short(last)}, wanted none: training begins at its start"


def _rates(where: str, options: Mapping[str, Any], checks: Mapping[str, Check]) -> Iterator[str]:
    for key, (text, is_right) in checks.items():
        if key in options and not is_right(options[key]):
            yield f"{where}.{key}: got {short(options[key])}, wanted {text}"


def _stop(where: str, stop: Stop) -> Iterator[str]:
    """What the rule lacks, and what it does not know."""
    needed, known = RULE_KEYS[stop.rule]
    for key in needed:
        if getattr(stop, key) is None:
            wanted = Stop.model_fields[key].description
            yield f"{where}.{key}: is missing, wanted {wanted[0].lower()}{wanted[1:]}"
    for key in stop.canonical():
        if key not in ("rule", *needed, *known):
            wanted = f"none: the rule {stop.rule} knows {', '.join([*needed, *known])}"
            yield f"{where}.{key}: got {short(getattr(stop, key))}, wanted {wanted}"
    if stop.max_epochs is not None and stop.min_epochs > stop.max_epochs:
        yield f"{where}.min_epochs: got {stop.min_epochs}, wanted at most max_epochs, {stop.max_epochs}"


def _gradients(where: str, training: Training) -> Iterator[str]:
    clip, sam = training.clip, training.sam
    if clip is not None and len(clip.canonical()) != 1:
        yield f"{where}.clip: got {short(clip.canonical())}, wanted one of norm, value"
    if sam is not None and sam.eta and sam.scale not in HAVE_ETA:
        yield f"{where}.sam.eta: got {sam.eta}, wanted none: the scale {sam.scale} is above 0"


def _other_trainer(where: str, training: Training, folder: str) -> Iterator[str]:
    """What only the package's trainer does, or one that takes it by name."""
    name = training.trainer.name
    if name == "minibatches":
        return
    taken = plugins.parameters("trainers", name, folder)
    if training.augmentation and taken is not None and "augmentation" not in taken:
        got = short([each.name for each in training.augmentation])
        yield f"{where}.augmentation: got {got}, wanted none: the trainer {name} takes no augmentation"
    if training.schedule is not None and training.schedule.per == "step":
        yield f"{where}.schedule.per: got 'step', wanted epoch: how many steps the trainer {name} takes is not known"
    if training.stop.rule in BY_MODEL:
        wanted = f"relative_change or max_epochs with the trainer {name}"
        yield f"{where}.stop.rule: got {training.stop.rule!r}, wanted {wanted}"
