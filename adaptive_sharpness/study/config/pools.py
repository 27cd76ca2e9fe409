"""Settings of the stage that trains pools of models."""

from typing import Annotated, Any

from pydantic import Field

from adaptive_sharpness.study.config.block import MOST, Block, Count, Name, Text, wanted
from adaptive_sharpness.study.config.training import Training

Varied = Annotated[
    list[Any] | dict[str, Any] | str,
    Field(
        description="A list of levels; or {times: [...]}, factors of what stands in the block; "
        "or a mapping from names of levels to the keys that each sets; or under table a csv file"
    ),
]


class PoolSettings(Block):
    """A mapping with dataset, options, initialisation, loss and training"""

    dataset: Text = wanted("A data set of this config")
    architecture: Text = wanted("A file of architectures/, that of the pool's name where not said", default=None)
    options: dict[str, Any] = wanted("A mapping of what the architecture's build() takes", default={})
    initialisation: Text = wanted("How weights are drawn: a file of initialisations/")
    loss: Text = wanted("A loss of torch.nn.functional, or a file of plugins/losses")
    training: Training = wanted("A mapping with optimiser, batch_size and stop")
    stacked: Count = wanted("A whole number of models trained at once, at least 1", default=1)
    hops: Count = wanted("A whole number of message passing layers, at least 1", default=None)
    seeds: int = wanted(f"A whole number of models, at least 1 and at most {MOST}", ge=1, le=MOST, default=None)
    vary: dict[str, Varied] = wanted("A mapping from keys of this block to lists of levels", default={})

    def for_training(self, pool: Name) -> dict[str, Any]:
        """Return the canonical form of what determines a model, its architecture named.

        Args:
            pool: the pool's name.

        Returns:
            A mapping of which `PoolSettings` can be made again.

        Example:
            >>> training = {"optimiser": {"name": "SGD", "lr": 0.1}, "batch_size": 64, "stop": {"max_epochs": 3}}
            >>> pool = PoolSettings(dataset="cora", initialisation="glorot", loss="nll_loss", training=training, hops=2)
            >>> pool.for_training("gat")["training"], pool.for_training("gat")["architecture"]  # 64 is the default
            ({'optimiser': {'lr': 0.1, 'name': 'SGD'}, 'stop': {'max_epochs': 3}}, 'gat')
        """
        others = {"hops": None, "seeds": None, "vary": {}}
        return self.model_copy(update={"architecture": self.architecture or pool, **others}).canonical()
