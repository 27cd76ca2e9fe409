"""What a plan knows of pools whose models were trained elsewhere: the rows of their tables, by shard."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from adaptive_sharpness.study.config.model_table import ModelRow, ranges
from adaptive_sharpness.study.config.study import Study

NOTHING = "(?!)"  # a pattern that no text has


class ImportedPools:
    """The pools of a study whose models were trained elsewhere.

    Args:
        study: its settings.
    """

    def __init__(self, study: Study):
        self._study = study

    def has(self, protocol: str, pool: str, **_: str) -> bool:
        """Return whether the models of a pool were trained elsewhere.

        Example:
            >>> from adaptive_sharpness.study.config.pools import PoolSettings
            >>> study = Study.model_construct(protocols={"report": {"gat": PoolSettings.model_construct()}})
            >>> ImportedPools(study).has("report", "gat")
            False
        """
        return self._study.protocols[protocol][pool].checkpoints is not None

    def rows(self, protocol: str, pool: str, seeds: str = "", **_: str) -> list[dict[str, Any]]:
        """Return what the table says of each model of a pool, or of one of its shards; nothing of one that is trained.

        Args:
            protocol: the pool's.
            pool: its name.
            seeds: of the shard, such as 000-024: the models' numbers in the table.

        Example:
            >>> from adaptive_sharpness.study.config.pools import PoolSettings
            >>> study = Study.model_construct(protocols={"report": {"gat": PoolSettings.model_construct()}})
            >>> ImportedPools(study).rows("report", "gat", "000-024")
            []
        """
        return [row.plain() for row in self._models(protocol, pool, seeds)]

    def files(self, protocol: str, pool: str, seeds: str = "", **_: str) -> list[str]:
        """Return the files of the models of a pool, or of one of its shards; nothing of one that is trained.

        Args: as in `rows`.

        Example:
            >>> from adaptive_sharpness.study.config.pools import PoolSettings
            >>> study = Study.model_construct(protocols={"report": {"gat": PoolSettings.model_construct()}})
            >>> ImportedPools(study).files("report", "gat", "000-024")
            []
        """
        return list(dict.fromkeys(file for row in self._models(protocol, pool, seeds) for file in row.files))

    def options(self, protocol: str, pool: str, seeds: str) -> dict[str, Any]:
        """Return the options that the table gives to the models of a shard, which share them.

        Args: as in `rows`.

        Example:
            >>> from adaptive_sharpness.study.config.pools import PoolSettings
            >>> study = Study.model_construct(protocols={"report": {"gat": PoolSettings.model_construct()}})
            >>> ImportedPools(study).options("report", "gat", "000-024")
            {}
        """
        return next((dict(row.options) for row in self._models(protocol, pool, seeds)), {})

    def seed_ranges(self, protocol: str, pool: str, size: int) -> list[str]:
        """Return the ranges of a pool's models, each one shard's, such as 000-009.

        Args:
            protocol: the pool's.
            pool: its name.
            size: the models of a shard, at most.

        Example:
            >>> from adaptive_sharpness.study.config.pools import PoolSettings
            >>> study = Study.model_construct(protocols={"report": {"gat": PoolSettings.model_construct()}})
            >>> ImportedPools(study).seed_ranges("report", "gat", size=10)
            []
        """
        return [f"{first:03d}-{last:03d}" for first, last in ranges(self._models(protocol, pool), size)]

    def protocols_of(self, imported: bool) -> str:
        """Return a pattern of the protocols whose pools are imported, or are not, in the path of a checkpoint.

        Example:
            >>> from adaptive_sharpness.study.config.pools import PoolSettings
            >>> protocols = {"report": {"gat": PoolSettings.model_construct(dataset="cora")}}
            >>> ImportedPools(Study.model_construct(protocols=protocols)).protocols_of(imported=False)
            'report(?=/(gat)/)'
        """
        found: dict[str, list[str]] = defaultdict(list)
        for protocol, pools in self._study.protocols.items():
            for pool in pools:
                if self.has(protocol, pool) == imported:
                    found[protocol].append(pool)
        return "|".join(f"{protocol}(?=/({'|'.join(names)})/)" for protocol, names in found.items()) or NOTHING

    def _models(self, protocol: str, pool: str, seeds: str = "") -> Sequence[ModelRow]:
        rows = self._study.models_of(protocol, pool)
        first, last = map(int, seeds.split("-")) if seeds else (0, len(rows))
        return rows[first : last + 1]
