"""Settings of the stage that measures models."""

from typing import Annotated, Any, Literal

from pydantic import Field

from adaptive_sharpness.study.config.block import Block, Count, OpenBlock, Positive, Text, wanted

Batches = Annotated[int, Field(ge=2)] | Literal["all"]
Seed = Annotated[int, Field(ge=0)] | Literal["own"]
Radius = Annotated[Positive, Field(description="A finite number above 0, in units of |w|")]

BATCHES = "A whole number of batches, at least 2; or all: the whole training split as one"
SEED = "A whole number, at least 0; or own: each model's seed, so that each meets batches of its own"
STACKED = "A whole number of problems solved at once, at least 1"
ESTIMATOR = "A file of measures/"


class OnPool(OpenBlock):
    """A mapping with what is said of the measure on one pool: rho, batches, and options of the measure"""

    rho: list[Radius] = wanted(
        "A list of radii, such as [0.01, 0.02], for a measure with a ball", min_length=1, default=None
    )
    estimator: Text = wanted(ESTIMATOR, default=None)
    batches: Batches = wanted(BATCHES, default=None)
    batch_size: Count = wanted("A whole number of examples, at least 1", default=None)
    seed: Seed = wanted(SEED, default=None)
    stacked: Count = wanted(STACKED, default=None)


class MeasureSettings(OpenBlock):
    """A mapping with on, batches, batch_size, and options of the measure"""

    estimator: Text = wanted(f"{ESTIMATOR}, that of the measure's name where not said", default=None)
    protocols: list[Annotated[Text, Field(description="A protocol of this config")]] = wanted(
        "A list of the protocols on whose pools it is taken, all where not said", default=None
    )
    batches: Batches = wanted(BATCHES, default=None)
    batch_size: Count = wanted("A whole number of examples, at least 1", default=64)
    seed: Seed = wanted(SEED, default=0)
    stacked: Count = wanted(STACKED, default=None)
    on: dict[str, OnPool] = wanted("A mapping from pools to what is said of the measure on them", default={})

    def on_pool(self, measure: str, pool: str) -> dict[str, Any]:
        """Return how the measure is taken on one pool, what is said under `on` before what the block says.

        Args:
            measure: its name.
            pool: a pool's name, a key of `on`.

        Returns:
            A mapping of which `Measurement` can be made, if nothing is missing; without the radii.

        Example:
            >>> MeasureSettings(batches=5, vectors=9, on={"gat": {"batches": 20}}).on_pool("hessian", "gat")
            {'estimator': 'hessian', 'batches': 20, 'batch_size': 64, 'seed': 0, 'options': {'vectors': 9}}
        """
        keys = ("estimator", "batches", "batch_size", "seed", "stacked")
        closer = self.on[pool]
        known = {key: _first(getattr(closer, key), getattr(self, key)) for key in keys}
        known["estimator"] = known["estimator"] or measure
        known["options"] = {**self.options, **closer.options}
        return {key: value for key, value in known.items() if value is not None}


class Measurement(Block):
    """How one measure is taken on one pool, at whatever radius."""

    estimator: Text
    batches: Batches
    batch_size: Count = 64
    seed: Seed = 0
    stacked: Count = None
    hops: Count = None
    options: dict[str, Any] = Field(default_factory=dict)


def _first(closer: Any, general: Any) -> Any:
    return general if closer is None else closer
