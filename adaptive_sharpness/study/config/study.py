"""The settings of a whole study."""

from typing import Annotated, Any

from pydantic import Discriminator, Field, StringConstraints, Tag

from adaptive_sharpness.study.config.block import MOST, Block, Count, Name, Text, wanted
from adaptive_sharpness.study.config.datasets import DatasetSettings
from adaptive_sharpness.study.config.measures import MeasureSettings
from adaptive_sharpness.study.config.model_table import ModelRow, model_rows
from adaptive_sharpness.study.config.pools import PoolSettings
from adaptive_sharpness.study.config.tables import Published, Replicates, Rung

NUMBER, MAPPING = "<number>", "<mapping>"  # how errors tell the two ways apart
MODELS = f"whole number of models, at least 1 and at most {MOST}"
FEW = 10  # models a job where a config names other pools alone


def _way(value: Any) -> str:
    return MAPPING if isinstance(value, dict) else NUMBER


def _by_pool(number: Any, text: str) -> Any:
    """A number for all pools, or a mapping from pools to numbers."""
    each = Annotated[number, Field(description=text)]
    return Annotated[Annotated[each, Tag(NUMBER)] | Annotated[dict[str, each], Tag(MAPPING)], Discriminator(_way)]


Seeds = _by_pool(Annotated[int, Field(ge=1, le=MOST)], f"A {MODELS}")
SeedsPerJob = _by_pool(Count, "A whole number of models a job, at least 1")
Folder = Annotated[Text, StringConstraints(pattern="^[^<>{}]+$")]


class PathVars(Block):
    """A mapping from results or logs to a folder"""

    results: Folder = wanted("A folder, without < > { } in its path", default="results")
    logs: Folder = wanted("A folder, without < > { } in its path", default="logs")


class Study(Block):
    """The study's config; closed, so that a misspelt key is an error. Each description says what is wanted."""

    seeds: Seeds = wanted(f"A {MODELS}, or a mapping from pools to such numbers")
    seeds_per_job: SeedsPerJob = wanted(
        "A whole number of models a job, at least 1, or a mapping from pools to such numbers"
    )
    only: Text = wanted("Names of pools or protocols, or PROTOCOL/POOL, separated by commas", default="")
    plugins: Text = wanted(
        "A folder of plug-ins below the folder that Snakemake is called from, without ..", default="plugins"
    )
    pathvars: PathVars = wanted("A mapping from results or logs to a folder", default=PathVars())
    datasets: dict[Name, DatasetSettings] = wanted("A mapping from data sets to their hashes and sources", min_length=1)
    protocols: dict[
        Name,
        Annotated[
            dict[Name, PoolSettings],
            Field(min_length=1, description="A mapping from pools to how they are trained"),
        ],
    ] = wanted("A mapping from protocols to mappings from pools to how they are trained", min_length=1)
    measures: dict[Name, MeasureSettings] = wanted("A mapping from measures to how they are taken", min_length=1)
    published: dict[
        str, Annotated[dict[str, Published], Field(description="A mapping from pools to published values")]
    ] = wanted("A mapping from measures to mappings from pools to published values", default={})
    ladder: dict[
        str,
        Annotated[
            list[Rung],
            Field(min_length=2, description="A list of rungs, each one difference away from the one before"),
        ],
    ] = wanted("A mapping from pools to rungs", min_length=1, default=None)
    replicates: Replicates = wanted("A mapping with protocol, measure, size and elsewhere", default=None)

    @property
    def chosen(self) -> list[str]:
        """What `only` names; nothing means all.

        Example:
            >>> Study.model_construct(only="report/gat, fcnn").chosen
            ['report/gat', 'fcnn']
        """
        return [name.strip() for name in self.only.split(",")] if self.only else []

    def is_done(self, protocol: str, pool: str) -> bool:
        """Return whether a pool is done: whether `only` names it, its protocol, or both, or nothing.

        Example:
            >>> study = Study.model_construct(only="gat")
            >>> study.is_done("report", "gat"), study.is_done("report", "fcnn")
            (True, False)
        """
        return not self.chosen or not {pool, protocol, f"{protocol}/{pool}"}.isdisjoint(self.chosen)

    def pools_done(self) -> list[tuple[str, str]]:
        """Return the protocol and the name of each pool that is done, in order.

        Example:
            >>> Study.model_construct(only="gat", protocols={"report": {"fcnn": None, "gat": None}}).pools_done()
            [('report', 'gat')]
        """
        return [(name, pool) for name, pools in self.protocols.items() for pool in pools if self.is_done(name, pool)]

    def pool_names(self) -> list[str]:
        """Return the names of all pools, sorted.

        Example:
            >>> study = Study.model_construct(protocols={"report": {"gat": None}, "other": {"fcnn": None, "gat": None}})
            >>> study.pool_names()
            ['fcnn', 'gat']
        """
        return sorted({name for pools in self.protocols.values() for name in pools})

    def seeds_of(self, protocol: str, pool: str) -> int | None:
        """Return how many models a pool has, of seeds 0 to this number - 1; None where nothing says so.

        Of a pool that was trained elsewhere it is how many its table has, see `model_table`.

        Raises:
            ValueError: if the table is wrong.

        Example:
            >>> pools = {"fcnn": PoolSettings.model_construct(seeds=8), "gat": PoolSettings.model_construct()}
            >>> study = Study.model_construct(seeds=50, protocols={"report": pools})
            >>> study.seeds_of("report", "fcnn"), study.seeds_of("report", "gat")
            (8, 50)
        """
        if self.protocols[protocol][pool].checkpoints:
            return len(self.models_of(protocol, pool))
        own = self.protocols[protocol][pool].seeds
        return own if own is not None else _of_pool(self.seeds, pool)

    def models_of(self, protocol: str, pool: str) -> tuple[ModelRow, ...]:
        """Return the rows of a pool's table, of models that were trained elsewhere; nothing for a pool that is trained.

        Raises:
            ValueError: if the table is wrong, see `model_table.model_rows`.

        Example:
            >>> study = Study.model_construct(protocols={"report": {"gat": PoolSettings.model_construct()}})
            >>> study.models_of("report", "gat")
            ()
        """
        named = self.protocols[protocol][pool].checkpoints
        return model_rows(named.table, named.sha256) if named else ()

    def seeds_per_job_of(self, pool: str) -> int:
        """Return how many models of a pool one job takes; 10 where the config names others alone.

        Example:
            >>> study = Study.model_construct(seeds_per_job={"gat": 5})
            >>> study.seeds_per_job_of("gat"), study.seeds_per_job_of("fcnn")
            (5, 10)
        """
        return _of_pool(self.seeds_per_job, pool) or FEW

    def is_taken(self, measure: str, protocol: str, pool: str) -> bool:
        """Return whether a measure is taken on a pool.

        Example:
            >>> measure = MeasureSettings(on={"gat": {}}, protocols=["report"])
            >>> study = Study.model_construct(measures={"hessian": measure})
            >>> study.is_taken("hessian", "report", "gat"), study.is_taken("hessian", "other", "gat")
            (True, False)
        """
        block = self.measures[measure]
        return pool in block.on and (block.protocols is None or protocol in block.protocols)


def _of_pool(value: int | dict[str, int], pool: str) -> int | None:
    return value.get(pool) if isinstance(value, dict) else value
