"""What a row of tau.csv is computed from: one value of each model of a pool, and its test loss."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from adaptive_sharpness.stats.kendall import KendallResult, kendall
from adaptive_sharpness.study.tables.models import usable


@dataclass(frozen=True)
class Comparison:
    """The models of a pool, with one quantity of one measurement each.

    Args:
        protocol: the pool's.
        pool: its name.
        measure: the measure's name.
        rho: the radius, nan where there is none.
        quantity: the name of the value.
        headline: whether it is the measure's.
        models: a row a model: seed, value, test_loss, train_loss, accuracy, base_loss and max_loss, among others.
        all_test_losses: a row a seed and a column an example.
        reliability: of the mean over batches.
        published: with tau and n, None where there is none.
    """

    protocol: str
    pool: str
    measure: str
    rho: float
    quantity: str
    headline: bool
    models: pd.DataFrame
    all_test_losses: pd.DataFrame
    reliability: float
    published: Mapping | None = None

    @cached_property
    def used(self) -> pd.DataFrame:
        """The models that count: those whose value, test loss and training loss are finite."""
        return usable(self.models)

    def column(self, name: str) -> np.ndarray:
        """Return a column of the models that count, [models] float64."""
        return self.used[name].to_numpy(dtype=float)

    @property
    def value(self) -> np.ndarray:
        """The quantity of each model that counts, [models]."""
        return self.column("value")

    @property
    def test_loss(self) -> np.ndarray:
        """The test loss of each model that counts, [models]."""
        return self.column("test_loss")

    @property
    def test_losses(self) -> np.ndarray:
        """The losses of all test examples of each model that counts, [models, examples]."""
        return self.all_test_losses.loc[self.used["seed"]].to_numpy(dtype=float)

    @cached_property
    def tau(self) -> KendallResult:
        """Kendall's tau between value and test loss."""
        return kendall(self.value, self.test_loss)
