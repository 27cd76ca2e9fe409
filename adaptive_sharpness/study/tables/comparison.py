"""What a row of tau.csv is computed from: one value of each model of a pool, and its test loss."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from adaptive_sharpness.stats.clustered import ClusteredKendallResult
from adaptive_sharpness.stats.kendall import KendallResult, kendall
from adaptive_sharpness.study.tables.models import usable

PERMUTATIONS = 9999  # of settings, in a pool that varies


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
        models: a row a model: seed, value, test_loss, train_loss, accuracy, base_loss and max_loss, among others; of a
            pool that varies also setting.
        all_test_losses: a row a seed, or of a pool that varies a row a setting and seed, and a column an example.
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
        """The models that count, see `models.usable`.

        Example:
            >>> models = pd.DataFrame({"seed": [0, 1], "value": [1.0, np.nan], "test_loss": 2.0, "train_loss": 3.0})
            >>> pool = Comparison("report", "gat", "hessian", np.nan, "trace", False, models, pd.DataFrame(), 1.0)
            >>> pool.used["seed"].tolist()
            [0]
        """
        return usable(self.models)

    def column(self, name: str) -> np.ndarray:
        """Return a column of the models that count, [models] float64.

        Example:
            >>> models = pd.DataFrame({"seed": [0, 1], "value": [1, np.nan], "test_loss": 2.0, "train_loss": [3, 4]})
            >>> pool = Comparison("report", "gat", "hessian", np.nan, "trace", False, models, pd.DataFrame(), 1.0)
            >>> pool.column("train_loss").tolist()
            [3.0]
        """
        return self.used[name].to_numpy(dtype=float)

    @property
    def value(self) -> np.ndarray:
        """The quantity of each model that counts, [models].

        Example:
            >>> models = pd.DataFrame({"seed": [0, 1], "value": [1.0, np.nan], "test_loss": 2.0, "train_loss": 3.0})
            >>> pool = Comparison("report", "gat", "hessian", np.nan, "trace", False, models, pd.DataFrame(), 1.0)
            >>> pool.value.tolist()
            [1.0]
        """
        return self.column("value")

    @property
    def test_loss(self) -> np.ndarray:
        """The test loss of each model that counts, [models].

        Example:
            >>> models = pd.DataFrame({"seed": [0, 1], "value": [1.0, np.nan], "test_loss": 2.0, "train_loss": 3.0})
            >>> pool = Comparison("report", "gat", "hessian", np.nan, "trace", False, models, pd.DataFrame(), 1.0)
            >>> pool.test_loss.tolist()
            [2.0]
        """
        return self.column("test_loss")

    @property
    def test_losses(self) -> np.ndarray:
        """The losses of all test examples of each model that counts, [models, examples].

        Example:
            >>> models = pd.DataFrame({"seed": [0, 1], "value": [np.nan, 1.0], "test_loss": 2.0, "train_loss": 3.0})
            >>> losses = pd.DataFrame([[1.0, 3.0], [1.5, 2.5]], index=[0, 1])
            >>> pool = Comparison("report", "gat", "hessian", np.nan, "trace", False, models, losses, 1.0)
            >>> pool.test_losses.tolist()
            [[1.5, 2.5]]
        """
        by_setting = self.all_test_losses.index.nlevels > 1
        index = pd.MultiIndex.from_frame(self.used[["setting", "seed"]]) if by_setting else self.used["seed"]
        return self.all_test_losses.loc[index].to_numpy(dtype=float)

    @cached_property
    def settings(self) -> np.ndarray | None:
        """The setting of each model that counts, [models]; None for a pool of one setting.

        Models of one setting are no independent draws from the pool: what is said of how sure a number is goes by
        settings.

        Example:
            >>> models = pd.DataFrame({"setting": ["lr=1", "lr=2"], "value": 1.0, "test_loss": 2.0, "train_loss": 3.0})
            >>> pool = Comparison("report", "gat", "hessian", np.nan, "trace", False, models, pd.DataFrame(), 1.0)
            >>> pool.settings.tolist()
            ['lr=1', 'lr=2']
        """
        several = "setting" in self.models and self.models["setting"].nunique() > 1
        return self.used["setting"].to_numpy() if several else None

    @cached_property
    def tau(self) -> KendallResult | ClusteredKendallResult:
        """Kendall's tau between value and test loss; of a pool that varies with its settings as clusters.

        Example:
            >>> models = pd.DataFrame({"seed": range(3), "value": [1, 2, 3], "test_loss": [3, 2, 1], "train_loss": 1.0})
            >>> pool = Comparison("report", "gat", "hessian", np.nan, "trace", False, models, pd.DataFrame(), 1.0)
            >>> pool.tau.statistic
            -1.0
        """
        return kendall(self.value, self.test_loss, clusters=self.settings, permutations=PERMUTATIONS)
