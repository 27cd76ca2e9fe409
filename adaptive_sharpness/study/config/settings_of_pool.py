"""The settings of a pool that varies: each a block of its own, as if it had been written down."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from pydantic import ValidationError

from adaptive_sharpness.study.config.axes import Factor, Level, axes_of
from adaptive_sharpness.study.config.levels import setting_name
from adaptive_sharpness.study.config.messages import line, short
from adaptive_sharpness.study.config.pools import PoolSettings

MOST_SETTINGS = 100_000
LONGEST_NAME = 200  # letters; file systems take 255
POSITION = re.compile(r"(\.times)?\[\d+\]$")  # of a level


@dataclass(frozen=True)
class Setting:
    """One setting of a pool: a level of each axis.

    Args:
        name: the levels, such as lr=0.1+widths=10-64-1, as they stand in a path; empty where the pool varies nothing.
        block: the pool's block with these levels, which varies nothing.
        places: by each key that a level sets, where the config says so.
    """

    name: str
    block: PoolSettings
    places: Mapping[str, str]

    @property
    def label(self) -> str:
        """The name with a / before it, as it stands behind its pool in paths; empty where the pool varies nothing.

        Example:
            >>> Setting("lr=1", PoolSettings.model_construct(), {}).label
            '/lr=1'
        """
        return f"/{self.name}" if self.name else ""

    def told(self, where: str, said: str) -> str:
        """Return a line about the block as a line about the level that it comes from.

        Args:
            where: the pool's place in the config.
            said: the line, its key below that place.

        Example:
            >>> setting = Setting("lr=-1", PoolSettings.model_construct(), {"training.optimiser.lr": "lr[0]"})
            >>> setting.told("report.gat", "report.gat.training.optimiser.lr: got -1, wanted a number above 0")
            'report.gat.vary.lr[0]: got -1, wanted a number above 0'
        """
        inside = said.removeprefix(f"{where}.")
        for key in sorted(self.places, key=len, reverse=True):
            rest = inside.removeprefix(key)
            if rest != inside and rest[:1] in (".", ":", "["):
                place = self.places[key]
                if f"{rest} ".startswith(f": got {key.rpartition('.')[2]!r}, wanted one of "):  # the key, not its level
                    place = POSITION.sub("", place)
                return f"{where}.vary.{place}{rest}"
        return f"{where}.vary: in the setting {self.name}, {inside}"


def settings_of(where: str, block: PoolSettings) -> list[Setting]:
    """Return the settings of a pool, in an order that does not depend on how they are written down.

    Args:
        where: the pool's place in the config.
        block: the pool's.

    Returns:
        A level of each axis in every combination; one setting without a name where the pool varies nothing.

    Raises:
        ValueError: where `vary`, or a block with some levels, is wrong; one line.

    Example:
        >>> training = {"optimiser": {"name": "SGD", "lr": 0.2}, "stop": {"max_epochs": 3}}
        >>> pool = {"dataset": "cora", "initialisation": "glorot", "loss": "nll_loss", "training": training}
        >>> vary = {"training.optimiser.lr": {"times": [0.5, 1]}, "training.batch_size": [32, 64]}
        >>> found = settings_of("report.gat", PoolSettings(**pool, vary=vary))
        >>> found[0].name, found[0].block.training.optimiser.options, len(found)
        ('batch_size=32+lr_times=0.5', {'lr': 0.1}, 4)
    """
    if not block.vary:
        return [Setting("", block, {})]
    axes = axes_of(f"{where}.vary", block.vary)
    if (number := math.prod(map(len, axes))) > MOST_SETTINGS:
        raise ValueError(f"{where}.vary: got {number} settings, wanted at most {MOST_SETTINGS}")
    base = block.model_copy(update={"vary": {}}).model_dump(exclude_unset=True)
    return [_setting(where, base, levels) for levels in product(*axes)]


def _setting(where: str, base: Mapping[str, Any], levels: tuple[Level, ...]) -> Setting:
    spelled = {name: text for level in levels for name, text in level.spelled.items()}
    name = setting_name(spelled)
    if len(name) > LONGEST_NAME:
        wanted = f"at most {LONGEST_NAME} letters: give levels names"
        raise ValueError(f"{where}.vary: got a setting whose folder would be called {short(name)}, wanted {wanted}")
    said = [(key, value, level.places[key]) for level in levels for key, value in level.keys.items()]
    said.sort(key=lambda each: isinstance(each[1], Factor))  # factors last: of what the levels have set
    block, places = dict(base), {}
    for key, value, place in said:
        at = f"{where}.vary.{place}"
        block = _with(at, block, key, _product(at, block, key, value, name) if isinstance(value, Factor) else value)
        places[key] = place
    try:
        return Setting(name, PoolSettings.model_validate(block), places)
    except ValidationError as error:
        wrong = f"{where}.{line(error, PoolSettings, block)}"
        raise ValueError(Setting(name, PoolSettings.model_construct(), places).told(where, wrong)) from None


def _with(at: str, block: Mapping[str, Any], key: str, value: Any) -> dict[str, Any]:
    """A block with another value at a key; what is not on the way there is shared with it."""
    first, _, rest = key.partition(".")
    if not rest:
        return {**block, first: value}
    inside = block.get(first) or {}
    if not isinstance(inside, dict):
        raise ValueError(f"{at}: got a key inside of {short(inside)}, wanted one of a mapping")
    return {**block, first: _with(at, inside, rest, value)}


def _product(at: str, block: Mapping[str, Any], key: str, factor: Factor, name: str) -> float:
    """What stands at a key, times a factor; a whole number stays one where it can."""
    standing: Any = block
    for part in key.split("."):
        standing = standing.get(part) if isinstance(standing, dict) else None
    if type(standing) not in (int, float):
        got = "nothing" if standing is None else short(standing)
        raise ValueError(f"{at}: got a factor of {got} in the setting {name}, wanted a number at {key}")
    found = standing * factor.number
    return int(found) if isinstance(standing, int) and float(found).is_integer() else found
