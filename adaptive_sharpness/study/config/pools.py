"""Settings of the stage that trains pools of models."""

from typing import Annotated, Any

from pydantic import Field

from adaptive_sharpness.study.config.block import MOST, Block, Count, Hash, Name, Text, wanted
from adaptive_sharpness.study.config.training import Training


class Checkpoints(Block):
    """A mapping with table and sha256"""

    table: Text = wanted("A csv file below the folder that Snakemake is called from, without ..", min_length=1)
    sha256: Hash = wanted("The table's sha256, 64 hexadecimal digits")


Varied = Annotated[
    list[Any] | dict[str, Any] | str,
    Field(
        description="A list of levels; or {times: [...]}, factors of what stands in the block; "
        "or a mapping from names of levels to the keys that each sets; or under table a csv file"
    ),
]


class PoolSettings(Block):
    """A mapping with dataset, options, loss, and initialisation and training, or checkpoints in place of these"""

    dataset: Text = wanted("A data set of this config")
    architecture: Text = wanted("A file of architectures/, that of the pool's name where not said", default=None)
    options: dict[str, Any] = wanted("A mapping of what the architecture's build() takes", default={})
    initialisation: Text = wanted("How weights are drawn: a file of initialisations/", default=None)
    loss: Text = wanted("A loss of torch.nn.functional, or a file of plugins/losses")
    training: Training = wanted("A mapping with optimiser, batch_size and stop", default=None)
    checkpoints: Checkpoints = wanted(
        "A mapping with table and sha256, of models that were trained elsewhere", default=None
    )
    stacked: Count = wanted("A whole number of models trained at once, at least 1", default=1)
    hops: Count = wanted("A whole number of message passing layers, at least 1", default=None)
    seeds: int = wanted(f"A whole number of models, at least 1 and at most {MOST}", ge=1, le=MOST, default=None)
    vary: dict[str, Varied] = wanted("A mapping from keys of this block to lists of levels", default={})

    def for_training(self, pool: Name) -> dict[str, Any]:
        """Return the canonical form of what determines a model, its architecture named; not the table it stands in.

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
        others = {**dict.fromkeys(("hops", "seeds", "checkpoints")), "vary": {}}
        return self.model_copy(update={"architecture": self.architecture or pool, **others}).canonical()
