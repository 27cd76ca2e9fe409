"""Write the models of a finished pool to files that other programs read, with a table to import them by."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml

from adaptive_sharpness.study.config.messages import short, unknown
from adaptive_sharpness.study.config.model_table import NEEDED, OPTION, TAKEN, option_cell
from adaptive_sharpness.study.config.settings_of_pool import Setting, settings_of
from adaptive_sharpness.study.config.study import Study
from adaptive_sharpness.study.importing.writers import write_models
from adaptive_sharpness.study.measuring.checkpoint import read_states
from adaptive_sharpness.study.outdated import Results
from adaptive_sharpness.study.plan import Job, Plan
from adaptive_sharpness.study.running import records

MADE_BY = ("train", "import_models")
OF_EXAMPLES = {"examples", "label_noise"}  # by which models are trained on others than the data set's
Row = dict[str, Any]


@dataclass(frozen=True)
class Exported:
    """What an export wrote.

    Args:
        block: of a config, with which the pool is imported.
        diverged: seeds of models that were left out, since a weight is not finite.
    """

    block: str
    diverged: list[int]


@dataclass(frozen=True)
class NamedPool:
    """A pool, or a setting of one that varies.

    Args:
        protocol: the pool's.
        pool: its name.
        setting: of its settings this one, which has no name where the pool varies nothing.
    """

    protocol: str
    pool: str
    setting: Setting

    @property
    def labels(self) -> dict[str, str]:
        """What `Plan` knows it by.

        Example:
            >>> from adaptive_sharpness.study.config.pools import PoolSettings
            >>> gat = PoolSettings.model_construct()
            >>> NamedPool("report", "gat", Setting("lr=1", gat, {})).labels
            {'protocol': 'report', 'pool': 'gat', 'setting': '/lr=1'}
        """
        return {"protocol": self.protocol, "pool": self.pool, "setting": self.setting.label}

    def __str__(self) -> str:
        return f"{self.protocol}/{self.pool}{self.setting.label}"


def named_pool(study: Study, name: str) -> NamedPool:
    """Return the pool that a command names as POOL or PROTOCOL/POOL, with /SETTING behind it where the pool varies.

    Raises:
        ValueError: if there is none, or more than one.

    Example:
        >>> from adaptive_sharpness.study.config.pools import PoolSettings
        >>> study = Study.model_construct(protocols={"report": {"gat": PoolSettings.model_construct()}})
        >>> str(named_pool(study, "gat")), str(named_pool(study, "report/gat"))
        ('report/gat', 'report/gat')
    """
    before, _, last = name.rpartition("/")
    asked, setting = (before, last) if "=" in last else (name, "")
    found = [each for each in study.pools_done() if asked in (each[1], "/".join(each))]
    if len(found) != 1:
        raise ValueError(unknown("pool", asked, ["/".join(each) for each in found or study.pools_done()]))
    [(protocol, pool)] = found
    settings = settings_of(f"protocols.{protocol}.{pool}", study.protocols[protocol][pool])
    for each in settings:
        if each.name == setting:
            return NamedPool(protocol, pool, each)
    wanted = NamedPool(protocol, pool, settings[0])
    raise ValueError(f"pool: got {short(name)}, wanted one setting of {protocol}/{pool}, such as {wanted}")


def export_pool(plan: Plan, pool: NamedPool, form: str, folder: str) -> Exported:
    """Write the models of a pool and their table.

    Args:
        plan: of the study that the pool belongs to.
        pool: see `named_pool`.
        form: see `writers.FORMATS`.
        folder: for the files, new or empty.

    Raises:
        ValueError: if the pool is not finished, its results are damaged or of other settings, or the folder is not
            empty; one line.
    """
    jobs = _finished_jobs(plan, pool)
    if Path(folder).exists() and not (Path(folder).is_dir() and not any(Path(folder).iterdir())):
        raise ValueError(f"{folder}: got a folder with files in it, wanted a new one")
    common = _common_options(jobs)
    models = [model for job in jobs for model in _models(job, pool.pool, common)]
    kept = [(row, state) for row, state in models if all(torch.isfinite(value).all() for value in state.values())]
    if not kept:
        raise ValueError(f"pool {pool}: got no model with finite weights, wanted one")
    Path(folder).mkdir(parents=True, exist_ok=True)
    places = write_models(form, folder, pool.pool, (state for _, state in kept))
    rows = [{**row, **place} for (row, _), place in zip(kept, places, strict=True)]
    table = Path(folder, f"{pool.pool}.csv")
    _write_table(table, rows)
    seeds = {row["seed"] for row, _ in kept}
    diverged = [int(row["seed"]) for row, _ in models if row["seed"] not in seeds]
    return Exported(_block(plan, pool, common, table), diverged)


def _finished_jobs(plan: Plan, pool: NamedPool) -> list[Job]:
    """The jobs that made the pool's models, if all that they made is there, whole and current."""
    results, found, labels = Results(plan), [], records.said_labels(pool.labels).items()
    for output, job in results.jobs.items():
        if job.rule in MADE_BY and labels <= job.settings["labels"].items():
            if not Path(output).exists():
                raise ValueError(f"{output}: is missing, wanted a finished pool: call snakemake checkpoints")
            for said in filter(None, (results.misfit(job.outputs[0]), *records.damaged([output]))):
                raise ValueError(said)
            found += [job] if output == job.outputs[0] else []
    return found


def _models(job: Job, pool: str, common: Mapping[str, Any]) -> Iterator[tuple[Row, Mapping[str, torch.Tensor]]]:
    """What is known of each model, as its table will say it, and its state."""
    checkpoint, table = job.outputs[0], next(path for path in job.outputs if path.endswith(".csv"))
    left_out = {*TAKEN, *(["train_loss"] if OF_EXAMPLES & job.settings["pool"].get("training", {}).keys() else [])}
    with open(table, newline="") as file:
        rows = {int(row["seed"]): row for row in csv.DictReader(file)}
    for seed, state in read_states(checkpoint):
        known = {key: value for key, value in rows[seed].items() if key not in left_out}
        yield {"id": f"{pool}-{seed:03d}", **known, **_own_options(job, common)}, state


def _common_options(jobs: Sequence[Job]) -> dict[str, Any]:
    """The options that all models of a pool have."""
    first, *others = (job.settings["pool"].get("options", {}) for job in jobs)
    return {key: value for key, value in first.items() if all(key in each and each[key] == value for each in others)}


def _own_options(job: Job, common: Mapping[str, Any]) -> Row:
    """What the models of a job have and others have not, as cells of a table."""
    own = {key: value for key, value in job.settings["pool"].get("options", {}).items() if key not in common}
    return {f"{OPTION}{key}": option_cell(value) for key, value in own.items()}


def _write_table(path: Path, rows: Sequence[Row]) -> None:
    columns = list(dict.fromkeys([*NEEDED, *(key for row in rows for key in row)]))
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _block(plan: Plan, pool: NamedPool, options: Mapping[str, Any], table: Path) -> str:
    """The pool's block of a config, as YAML."""
    said, hops = plan.pool(**pool.labels), pool.setting.block.hops
    kept = {key: said[key] for key in ("dataset", "architecture", "loss")}
    named = {"options": dict(options)} if options else {}
    checkpoints = {"table": table.as_posix(), "sha256": records.sha256(table)}
    block = {**kept, **named, **({"hops": hops} if hops else {}), "checkpoints": checkpoints}
    return yaml.safe_dump({pool.pool: block}, sort_keys=False, default_flow_style=None, width=200)
