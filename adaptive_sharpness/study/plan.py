"""What a config asks for: the jobs of a study, with their files, parameters and fingerprints."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from adaptive_sharpness import plugins
from adaptive_sharpness.study.config.block import sorted_keys
from adaptive_sharpness.study.config.canonical import canonical_pool, drop_defaults
from adaptive_sharpness.study.config.measures import Measurement
from adaptive_sharpness.study.config.part import lacking
from adaptive_sharpness.study.config.pools import PoolSettings
from adaptive_sharpness.study.config.settings_of_pool import settings_of
from adaptive_sharpness.study.config.study import Study
from adaptive_sharpness.study.imported_pools import ImportedPools
from adaptive_sharpness.study.running import code, records

# How hard a measure searches, which does not change what it looks for.
SEARCH = ("solver", "steps", "rate", "restarts", "origin", "convergence")
NO_BALL = "none"  # what stands in a path in place of a radius
ENDINGS = ("safetensors", "initial.safetensors", "csv", "test_losses.safetensors")  # of what a shard's job writes
IMPORTED = tuple(ending for ending in ENDINGS if not ending.startswith("initial"))  # the same, of models from elsewhere
# Rules whose results say nothing of other models.
UNMARKED = ("fetch", "prepare", "train", "import_models", "measure", "metrics")


@dataclass(frozen=True)
class Job:
    """What one job reads, writes, and is made from.

    Args:
        rule: the rule's name.
        inputs: files.
        outputs: files.
        settings: what the config says of it, by the names of its rule's params; and its labels, such as pool and seeds.
        code: the sha256 of its code; empty where it does not count.
        before: the digest of what its inputs are made from, in turn, see `records.Origin`.
    """

    rule: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    settings: dict[str, Any]
    code: str
    before: str


class Plan:
    """The jobs of a study.

    Args:
        study: its settings.
        scripts: from a rule to its script.
        prefix: what a module puts before each path, such as "sharpness/".
        wholes: the settings of the studies that write to the same folder, of which this one may be a part.

    Example:
        >>> from adaptive_sharpness.study.config.pools import PoolSettings
        >>> protocols = {"report": {"gat": PoolSettings.model_construct(dataset="cora")}}
        >>> study = Study.model_construct(seeds=5, seeds_per_job=2, measures={}, protocols=protocols)
        >>> [shard["seeds"] for shard in Plan(study, scripts=Path).shards]
        ['000-001', '002-003', '004-004']
    """

    def __init__(self, study: Study, scripts: Callable[[str], Path], prefix: str = "", wholes: Iterable[Study] = ()):
        self.study, self._scripts, self._prefix = study, scripts, prefix
        self.imported = ImportedPools(study)
        self._recipes: dict[str, str] = {}  # of each file, once its job has been planned
        self.part = "; ".join(lacking(study, wholes))
        # Many jobs share each of these.
        self._options, self._plugin = (cache(partial(f, folder=study.plugins)) for f in (plugins.options, plugins.file))
        shared = (self._pool_of, self._way_of, self._asked_by, self._used_of, self._digest_of)
        self._pool, self._way, self._asked, self._used, self._digest = map(cache, shared)
        self.pools = [{"protocol": protocol, "pool": pool} for protocol, pool in study.pools_done()]
        self._blocks = dict(self._named_blocks())
        self.datasets = sorted({block.dataset for block in self._blocks.values()})
        settings = defaultdict(list)
        for protocol, pool, setting in self._blocks:
            settings[protocol, pool].append({"protocol": protocol, "pool": pool, "setting": setting})
        self.shards = [
            {**each, "seeds": seeds}
            for pool in self.pools
            for each in settings[pool["protocol"], pool["pool"]]
            for seeds in self._seed_ranges(**pool)
        ]
        self.measurements = [
            {**pool, "measure": measure, "rho": rho}
            for pool in self.pools
            for measure in study.measures
            for rho in self._radii(measure=measure, **pool)
        ]
        self.measured = [
            {**setting, "measure": each["measure"], "rho": each["rho"], "seeds": seeds}
            for each in self.measurements
            for setting in settings[each["protocol"], each["pool"]]
            for seeds in self._seed_ranges(**each)
        ]

    def pool(self, protocol: str, pool: str, setting: str = "", seeds: str = "", **_: str) -> dict[str, Any]:
        """Return what determines the models of a pool, or of one of its settings, in canonical form.

        Of models from elsewhere it is that of one shard, whose table may give it options of its own.

        Example:
            >>> from adaptive_sharpness.study.config.pools import PoolSettings
            >>> training = {"optimiser": {"name": "SGD", "lr": 0.1}, "stop": {"max_epochs": 3}}
            >>> options = {"hidden": 4, "heads": 1}  # one head is the default
            >>> pool = {"dataset": "cora", "options": options, "initialisation": "glorot", "loss": "nll_loss"}
            >>> protocols = {"report": {"gat": PoolSettings(**pool, training=training)}}
            >>> plan = Plan(Study.model_construct(protocols=protocols, measures={}, only="other"), scripts=Path)
            >>> plan.pool("report", "gat")["options"]
            {'hidden': 4}
        """
        return self._pool(protocol, pool, setting, seeds if self.imported.has(protocol, pool) else "")

    def way(self, protocol: str, pool: str, measure: str, setting: str = "", **_: str) -> dict[str, Any]:
        """Return how a measure is taken on a pool, in canonical form.

        Example:
            >>> from adaptive_sharpness.study.config.measures import MeasureSettings
            >>> from adaptive_sharpness.study.config.pools import PoolSettings
            >>> protocols = {"report": {"gat": PoolSettings.model_construct()}}
            >>> measures = {"hessian": MeasureSettings(batches=5, vectors=10, on={"gat": {}})}  # 10 is the default
            >>> plan = Plan(Study.model_construct(protocols=protocols, measures=measures, only="other"), scripts=Path)
            >>> plan.way("report", "gat", "hessian")
            {'batches': 5, 'estimator': 'hessian', 'options': {}}
        """
        return self._way(pool, measure, self._block(protocol, pool, setting).hops)

    def settings(self, rule: str, **labels: str) -> dict[str, Any]:
        """Return what the config says of a job, by the names of its rule's params.

        Example:
            >>> from adaptive_sharpness.study.config.datasets import DatasetSettings
            >>> datasets = {"iris": DatasetSettings.model_construct(sha256={"iris.csv": "11"})}
            >>> plan = Plan(Study.model_construct(protocols={}, measures={}, datasets=datasets), scripts=Path)
            >>> plan.settings("fetch", dataset="iris")
            {'sha256': {'iris.csv': '11'}}
        """
        says = {
            "fetch": lambda: {"sha256": self.hashes(**labels)},
            "prepare": lambda: {"block": self.preparation(**labels)},
            "train": lambda: {"pool": self.pool(**labels)},
            "import_models": lambda: {"pool": self.pool(**labels), "rows": self.imported.rows(**labels)},
            "measure": lambda: {"pool": self.pool(**labels), "way": self.way(**labels)},
            "runs_table": lambda: {"order": self.order()},
            "estimates_table": lambda: {"balls": self.balls(), "order": self.order()},
            "tau_table": lambda: {"published": self.published()},
            "ladder_table": lambda: {"rungs": self.ladder()},
            "replicates_table": lambda: {"block": self.replicates()},
            "report": lambda: {"config": self.config()},
        }
        marked = {} if rule in UNMARKED else {"part": self.part}
        return {**(says[rule]() if rule in says else {}), **marked}

    def code(self, rule: str, **labels: str) -> str:
        """Return the sha256 of a rule's script, of the plug-ins that a job uses, and of all that these import.

        Example:
            >>> study, script = Study.model_construct(protocols={}, measures={}), Path(records.__file__)
            >>> plan = Plan(study, scripts=lambda rule: script)
            >>> plan.code("metrics") == code.digest(script)  # of a rule without plug-ins
            True
        """
        keys = ("dataset", "protocol", "pool", "setting", "measure")
        return self._digest(rule, self._used(rule, tuple((key, labels[key]) for key in keys if key in labels)))

    def _pool_of(self, protocol: str, pool: str, setting: str, seeds: str) -> dict[str, Any]:
        block = self._block(protocol, pool, setting)
        if seeds:
            block = block.model_copy(
                update={"options": {**block.options, **self.imported.options(protocol, pool, seeds)}}
            )
        return canonical_pool(block, pool, self._options)

    def _way_of(self, pool: str, measure: str, hops: int | None) -> dict[str, Any]:
        known = self.study.measures[measure].on_pool(measure, pool)
        way = Measurement(**known, **({} if hops is None else {"hops": hops})).canonical()
        drop_defaults(self._options("measures", way["estimator"]), way.setdefault("options", {}))
        return sorted_keys(way)

    def asks(self, name: str, pool: str, measure: str, **_: str) -> bool:
        """Return whether a measure on a pool asks for something by this keyword, such as initial.

        Example:
            >>> from adaptive_sharpness.study.config.measures import MeasureSettings
            >>> measures = {"hessian": MeasureSettings(on={"gat": {}})}
            >>> plan = Plan(Study.model_construct(protocols={}, measures=measures), scripts=Path)
            >>> plan.asks("states", "gat", "hessian"), plan.asks("initial", "gat", "hessian")
            (True, False)
        """
        return name in self._asked(self.study.measures[measure].on_pool(measure, pool)["estimator"])

    def raw(self, dataset: str) -> str:
        """Return the data set whose raw files a data set reads.

        Example:
            >>> from adaptive_sharpness.study.config.datasets import DatasetSettings
            >>> datasets = {"half_iris": DatasetSettings.model_construct(raw="iris")}
            >>> plan = Plan(Study.model_construct(protocols={}, measures={}, datasets=datasets), scripts=Path)
            >>> plan.raw("half_iris")
            'iris'
        """
        return self.study.datasets[dataset].raw or dataset

    def preparation(self, dataset: str) -> dict[str, Any]:
        """Return a data set's name, the hashes of its raw files, and how many examples are kept.

        Example:
            >>> from adaptive_sharpness.study.config.datasets import DatasetSettings, Limit
            >>> datasets = {"iris": DatasetSettings.model_construct(sha256={"iris.csv": "11"}, limit=Limit(train=9))}
            >>> plan = Plan(Study.model_construct(protocols={}, measures={}, datasets=datasets), scripts=Path)
            >>> plan.preparation("iris")
            {'dataset': 'iris', 'sha256': {'iris.csv': '11'}, 'limit': {'train': 9}}
        """
        limit = self.study.datasets[dataset].limit.canonical()
        return {"dataset": dataset, "sha256": self.hashes(self.raw(dataset)), "limit": limit}

    def hashes(self, dataset: str) -> dict[str, str]:
        """Return the hashes of a data set's raw files; not its sources: what comes from another is the same.

        Example:
            >>> from adaptive_sharpness.study.config.datasets import DatasetSettings
            >>> datasets = {"iris": DatasetSettings.model_construct(sha256={"b.csv": "22", "a.csv": "11"})}
            >>> plan = Plan(Study.model_construct(protocols={}, measures={}, datasets=datasets), scripts=Path)
            >>> plan.hashes("iris")
            {'a.csv': '11', 'b.csv': '22'}
        """
        return sorted_keys(dict(self.study.datasets[dataset].sha256))

    def published(self) -> dict[str, Any]:
        """Return what is published, by measure and pool, in canonical form.

        Example:
            >>> from adaptive_sharpness.study.config.tables import Published
            >>> published = {"hessian": {"gat": Published(rho=0.1, tau=-0.2, n=50)}}
            >>> plan = Plan(Study.model_construct(protocols={}, measures={}, published=published), scripts=Path)
            >>> plan.published()
            {'hessian': {'gat': {'n': 50, 'rho': 0.1, 'tau': -0.2}}}
        """
        return {
            m: {p: each.canonical() for p, each in sorted(by.items())} for m, by in sorted(self.study.published.items())
        }

    def ladder(self) -> dict[str, list[dict[str, Any]]]:
        """Return the rungs of each pool that is done, in canonical form; empty for a study without a ladder.

        Example:
            >>> Plan(Study.model_construct(protocols={}, measures={}), scripts=Path).ladder()
            {}
        """
        done = {pool["pool"] for pool in self.pools}
        rungs = self.study.ladder or {}
        return {pool: [rung.canonical() for rung in rungs[pool]] for pool in rungs if pool in done}

    def replicates(self) -> dict[str, Any]:
        """Return how pools are cut into replicates, in canonical form; empty where they are not.

        Example:
            >>> from adaptive_sharpness.study.config.tables import Replicates
            >>> replicates = Replicates(protocol="report", measure="hessian", size=50)
            >>> study = Study.model_construct(protocols={}, measures={}, replicates=replicates)
            >>> Plan(study, scripts=Path).replicates()
            {'measure': 'hessian', 'protocol': 'report', 'size': 50}
        """
        return self.study.replicates.canonical() if self.study.replicates else {}

    def balls(self) -> dict[str, list[list[str]]]:
        """Return, by pool, the groups of measures that seek the maximum over one ball on the same batches.

        Example:
            >>> from adaptive_sharpness.study.config.measures import MeasureSettings
            >>> from adaptive_sharpness.study.config.pools import PoolSettings
            >>> on = {"gat": {"rho": [0.1]}}
            >>> few, many = (MeasureSettings(estimator="worst_case", batches=5, steps=n, on=on) for n in (5, 50))
            >>> protocols = {"report": {"gat": PoolSettings.model_construct(dataset="cora", seeds=1)}}
            >>> study = {"protocols": protocols, "measures": {"few": few, "many": many}, "seeds_per_job": 1}
            >>> Plan(Study.model_construct(**study), scripts=Path).balls()
            {'gat': [['few', 'many']]}
        """
        found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for each in self.measurements:
            ball = self._ball(each["protocol"], each["pool"], each["measure"])
            if ball and each["measure"] not in found[each["pool"]][ball]:
                found[each["pool"]][ball].append(each["measure"])
        shared = {pool: [group for group in groups.values() if len(group) > 1] for pool, groups in found.items()}
        return {pool: groups for pool, groups in sorted(shared.items()) if groups}

    def order(self) -> str:
        """Return a sha256 of what is measured, in order: that of the rows of tables.

        Example:
            >>> plan = Plan(Study.model_construct(protocols={}, measures={}), scripts=Path)
            >>> plan.measured, plan.order() == hashlib.sha256(b"[]").hexdigest()
            ([], True)
        """
        return hashlib.sha256(json.dumps([records.said_labels(each) for each in self.measured]).encode()).hexdigest()

    def config(self) -> str:
        """Return a sha256 of all that the config says of results: not of sources, nor of defaults written out.

        Example:
            >>> from adaptive_sharpness.study.config.tables import Published
            >>> published = ({"hessian": {"gat": Published(rho=0.1, tau=tau, n=50)}} for tau in (-0.2, -0.2, 0.3))
            >>> studies = (Study.model_construct(protocols={}, measures={}, published=each) for each in published)
            >>> one, same, other = (Plan(study, scripts=Path).config() for study in studies)
            >>> one == same, one == other
            (True, False)
        """
        said = [self.preparation(dataset) for dataset in self.datasets]
        said += [[records.said_labels(each), self.pool(**each)] for each in self.shards]
        said += [[each, self.way(**each)] for each in self.measurements]
        said += [self.published(), self.ladder(), self.replicates()]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()

    def captions(self) -> dict[str, str]:
        """Return what each figure's docstring says of it.

        Example:
            >>> captions = Plan(Study.model_construct(protocols={}, measures={}), scripts=Path).captions()
            >>> sorted(captions) == sorted(plugins.names("figures"))
            True
        """
        files = {name: self._plugin("figures", name) for name in plugins.names("figures", self.study.plugins)}
        return {name: " ".join((plugins.docstring(file) or name).split()) for name, file in files.items()}

    def jobs(self) -> Iterator[Job]:
        """Yield every job of the study, after those whose files it reads.

        Example:
            >>> study, script = Study.model_construct(protocols={}, measures={}), Path(records.__file__)
            >>> plan = Plan(study, scripts=lambda rule: script)
            >>> [job.rule for job in plan.jobs()]
            ['runs_table', 'estimates_table', 'tau_table', 'metrics', 'report']
        """
        raw, results = f"{self._prefix}data/raw", f"{self._prefix}{self.study.pathvars.results}"
        for dataset in sorted({self.raw(dataset) for dataset in self.datasets}):
            yield self._job("fetch", (), (f"{raw}/{dataset}/SHA256SUMS",), dataset=dataset)
        for dataset in self.datasets:
            inputs = (f"{raw}/{self.raw(dataset)}/SHA256SUMS",)
            yield self._job("prepare", inputs, (f"{results}/datasets/{dataset}.safetensors",), dataset=dataset)
        for labels in self.shards:
            rule, endings = ("import_models", IMPORTED) if self.imported.has(**labels) else ("train", ENDINGS)
            inputs = (self._dataset(results, **labels), *self.imported.files(**labels))
            outputs = tuple(f"{_checkpoint(results, **labels)}.{ending}" for ending in endings)
            yield self._job(rule, inputs, outputs, **labels)
        for labels in self.measured:
            stem = _checkpoint(results, **labels)
            asked = [f"{stem}.{name}.safetensors" for name in ("initial", "test_losses") if self.asks(name, **labels)]
            inputs = (self._dataset(results, **labels), f"{stem}.safetensors", *asked)
            yield self._job("measure", inputs, (_sharpness(results, **labels),), **labels)
        yield from self._table_jobs(f"{results}/tables", results)

    def _table_jobs(self, tables: str, results: str) -> Iterator[Job]:
        stems = [_checkpoint(results, **labels) for labels in self.shards]
        sharpness = tuple(_sharpness(results, **labels) for labels in self.measured)
        runs, tau, estimates, ladder = (
            f"{tables}/{name}" for name in ("runs.parquet", "tau.csv", "estimates.csv", "ladder.csv")
        )
        losses = tuple(f"{stem}.test_losses.safetensors" for stem in stems)
        yield self._job("runs_table", (*(f"{stem}.csv" for stem in stems), *sharpness), (runs,))
        yield self._job("estimates_table", sharpness, (estimates,))
        yield self._job("tau_table", (runs, estimates, *losses), (tau,))
        if self.ladder():
            yield self._job("ladder_table", (runs,), (ladder,))
        if self.study.replicates:
            yield self._job("replicates_table", (runs,), (f"{tables}/replicates.csv", f"{tables}/prediction.csv"))
        yield self._job("metrics", (tau,), (f"{tables}/metrics.json",))
        page = (f"{results}/figures", f"{results}/report.html")
        yield self._job("report", (runs, tau, estimates, *([ladder] if self.ladder() else [])), page)

    def _job(self, rule: str, inputs: tuple[str, ...], outputs: tuple[str, ...], **labels: str) -> Job:
        digest = "" if rule == "fetch" else self.code(rule, **labels)
        before = records.before(self._recipes.get(path, "") for path in inputs)
        settings = {**self.settings(rule, **labels), "labels": records.said_labels(labels)}
        job = Job(rule, inputs, outputs, settings, digest, before)
        if rule != "fetch":  # raw data are what they are, wherever they came from
            self._recipes |= dict.fromkeys(outputs, records.Origin(job.settings, digest, before).recipe)
        return job

    def _dataset(self, results: str, **labels: str) -> str:
        return f"{results}/datasets/{self.pool(**labels)['dataset']}.safetensors"

    def _asked_by(self, estimator: str) -> set[str]:
        return set(plugins.parameters("measures", estimator, self.study.plugins) or ())

    def _used_of(self, rule: str, labels: tuple[tuple[str, str], ...]) -> tuple[Path, ...]:
        names = code.used_names(rule, self.settings(rule, **dict(labels)), self.study.plugins)
        return tuple(filter(None, (self._plugin(kind, name) for kind, name in names)))

    def _digest_of(self, rule: str, used: tuple[Path, ...]) -> str:
        return code.digest(self._scripts(rule), *used, folder=self.study.plugins)

    def _ball(self, protocol: str, pool: str, measure: str) -> str:
        """What the maximum that a measure seeks depends on; empty for a measure that seeks none."""
        way = self.way(protocol, pool, measure)
        taken = self._options("measures", way["estimator"]) or {}
        if "solver" not in taken:
            return ""
        given = {**{key: parameter.default for key, parameter in taken.items()}, **way["options"]}
        sought = {key: value for key, value in given.items() if key not in SEARCH}
        batches = {key: getattr(Measurement.model_validate(way), key) for key in ("estimator", "batch_size", "seed")}
        return json.dumps({**sought, **batches}, sort_keys=True, default=str)

    def _named_blocks(self) -> Iterator[tuple[tuple[str, str, str], PoolSettings]]:
        """The block of each setting of each pool."""
        for protocol, pool in self.study.pools_done():
            for each in settings_of(f"protocols.{protocol}.{pool}", self.study.protocols[protocol][pool]):
                yield (protocol, pool, each.label), each.block

    def _block(self, protocol: str, pool: str, setting: str = "") -> PoolSettings:
        """A setting's; without one, what the config says of the pool."""
        return self._blocks.get((protocol, pool, setting), self.study.protocols[protocol][pool])

    def _seed_ranges(self, protocol: str, pool: str, **_: str) -> list[str]:
        """Ranges of a pool's seeds, each one shard's, such as 000-009."""
        size, end = self.study.seeds_per_job_of(pool), self.study.seeds_of(protocol, pool)
        if self.imported.has(protocol, pool):
            return self.imported.seed_ranges(protocol, pool, size)
        return [f"{first:03d}-{min(first + size, end) - 1:03d}" for first in range(0, end, size)]

    def _radii(self, protocol: str, pool: str, measure: str) -> list[str]:
        """The radii at which a measure is taken on a pool, as they stand in paths."""
        if not self.study.is_taken(measure, protocol, pool):
            return []
        radii = self.study.measures[measure].on[pool].rho
        return [NO_BALL] if radii is None else [repr(float(rho)) for rho in radii]


def _checkpoint(results: str, protocol: str, pool: str, setting: str, seeds: str, **_: str) -> str:
    return f"{results}/checkpoints/{protocol}/{pool}{setting}/seeds-{seeds}"


def _sharpness(results: str, protocol: str, pool: str, setting: str, measure: str, rho: str, seeds: str) -> str:
    return f"{results}/sharpness/{protocol}/{pool}{setting}/{measure}/rho-{rho}/seeds-{seeds}.parquet"
