"""Which results are not what this code makes of this config, by the record that lies beside each."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from adaptive_sharpness.study.plan import Job, Plan
from adaptive_sharpness.study.running import records
from adaptive_sharpness.study.running.records import Origin

SILENT = "does not say what it was made from, wanted a record beside it"
TABLES = ("runs_table", "estimates_table", "tau_table", "ladder_table", "replicates_table", "metrics")


class Results:
    """The results of a study, as far as they exist.

    Args:
        plan: the jobs that the study asks for.
    """

    def __init__(self, plan: Plan):
        self._plan = plan

    @cached_property
    def jobs(self) -> dict[str, Job]:
        """From each output to its job.

        Example:
            >>> from adaptive_sharpness.study.config.study import Study
            >>> study = Study.model_construct(protocols={}, measures={})
            >>> results = Results(Plan(study, scripts=lambda rule: Path(records.__file__)))
            >>> results.jobs["results/tables/tau.csv"].rule
            'tau_table'
        """
        return {output: job for job in self._plan.jobs() for output in job.outputs}

    def knows(self, outputs: Iterable[str]) -> bool:
        """Return whether a job with these outputs is one of the study's.

        Example:
            >>> from adaptive_sharpness.study.config.study import Study
            >>> study = Study.model_construct(protocols={}, measures={})
            >>> results = Results(Plan(study, scripts=lambda rule: Path(records.__file__)))
            >>> results.knows(["results/tables/tau.csv"]), results.knows(["results/tables/mine.csv"])
            (True, False)
        """
        return next(iter(outputs), None) in self.jobs

    def misfit(self, output: str) -> str:
        """Return in what the results of a job differ from what it would make; empty where they do not.

        Args:
            output: the first of the job's; those that do not exist do not differ.

        Returns:
            FILE: made from ..., wanted ...

        Example:
            >>> from contextlib import chdir
            >>> from tempfile import TemporaryDirectory
            >>> from adaptive_sharpness.study.config.study import Study
            >>> study = Study.model_construct(protocols={}, measures={})
            >>> results = Results(Plan(study, scripts=lambda rule: Path(records.__file__)))
            >>> with TemporaryDirectory() as folder, chdir(folder):
            ...     Path("results/tables").mkdir(parents=True)
            ...     Path("results/tables/tau.csv").touch()
            ...     results.misfit("results/tables/tau.csv")
            'results/tables/tau.csv: does not say what it was made from, wanted a record beside it'
        """
        job = self.jobs[output]
        return _misfit_of_raw(job) if job.rule == "fetch" else next(_misfits(job), "")

    def inputs(self, output: str) -> dict[str, str]:
        """Return the sha256 of each file that a result was made from, by its path; empty where it says nothing.

        Example:
            >>> from contextlib import chdir
            >>> from tempfile import TemporaryDirectory
            >>> from adaptive_sharpness.study.config.study import Study
            >>> study = Study.model_construct(protocols={}, measures={})
            >>> results = Results(Plan(study, scripts=lambda rule: Path(records.__file__)))
            >>> with TemporaryDirectory() as folder, chdir(folder):
            ...     Path("results/tables").mkdir(parents=True)
            ...     Path("results/tables/tau.csv").touch()
            ...     records.record(["results/tables/tau.csv"], Origin(inputs=("11", "22")))
            ...     results.inputs("results/tables/tau.csv")
            {'results/tables/runs.parquet': '11', 'results/tables/estimates.csv': '22'}
        """
        job, origin = self.jobs[output], next(map(records.origin, _files([output])), None)
        same = origin is not None and len(origin.inputs) == len(job.inputs)
        return dict(zip(job.inputs, origin.inputs, strict=True)) if same else {}

    def check(self, missing: bool = True) -> Iterator[str]:
        """Yield a line about each job whose results are damaged or not what it would make.

        Args:
            missing: whether results that do not exist count too.

        Example:
            >>> from contextlib import chdir
            >>> from tempfile import TemporaryDirectory
            >>> from adaptive_sharpness.study.config.study import Study
            >>> study = Study.model_construct(protocols={}, measures={})
            >>> results = Results(Plan(study, scripts=lambda rule: Path(records.__file__)))
            >>> with TemporaryDirectory() as folder, chdir(folder):
            ...     next(results.check()), list(results.check(missing=False))
            ('results/tables/runs.parquet: is missing, wanted what runs_table makes', [])
        """
        for output in dict.fromkeys(job.outputs[0] for job in self.jobs.values()):
            job = self.jobs[output]
            lacking = [path for path in job.outputs if not Path(path).exists()]
            if missing and lacking:
                yield f"{lacking[0]}: is missing, wanted what {job.rule} makes"
            elif said := self.misfit(output):
                yield said
            else:
                yield from records.damaged(_files(job.outputs))

    def check_copies(self, folder: Path) -> Iterator[str]:
        """Yield a line about each published table or figure that is damaged or not what its job would make.

        Args:
            folder: with copies of tables and figures, by the names that they have among the results.

        Example:
            >>> from tempfile import TemporaryDirectory
            >>> from adaptive_sharpness.study.config.study import Study
            >>> study = Study.model_construct(protocols={}, measures={})
            >>> results = Results(Plan(study, scripts=lambda rule: Path(records.__file__)))
            >>> with TemporaryDirectory() as folder:
            ...     Path(folder, "mine.csv").touch()
            ...     next(results.check_copies(Path(folder))).removeprefix(folder)
            '/mine.csv: got a file that no job of this study makes, wanted none'
        """
        tables = {Path(output).name: job for output, job in self.jobs.items() if job.rule in TABLES}
        report = next(job for job in self.jobs.values() if job.rule == "report")
        for path in sorted(each for each in folder.rglob("*.*") if each.is_file() and each.suffix != ".sha256"):
            job = report if path.suffix in (".svg", ".pdf") else tables.get(path.name)
            origin = records.origin(path)
            if job is None:
                yield f"{path}: got a file that no job of this study makes, wanted none"
            elif origin is None:
                yield f"{path}: {SILENT}"
            elif said := replace(origin, inputs=()).difference(Origin(job.settings, job.code, job.before), ()):
                yield f"{path}: {said}"
            else:
                yield from records.damaged([path])


def _misfits(job: Job) -> Iterator[str]:
    wanted = Origin(job.settings, job.code, job.before, tuple(map(records.recorded_hash, job.inputs)))
    for path in _files(job.outputs):
        origin = records.origin(path)
        if origin is None:
            yield f"{path}: {SILENT}"
        elif said := origin.difference(wanted, job.inputs):
            yield f"{path}: {said}"


def _misfit_of_raw(job: Job) -> str:
    """What fetched files say of themselves stands in their SHA256SUMS."""
    (manifest,), wanted = job.outputs, job.settings["sha256"]
    if not Path(manifest).exists():
        return ""
    for line in Path(manifest).read_text(errors="replace").splitlines():
        found, _, name = line.partition("  ")
        if wanted.get(name) != found:
            return f"{manifest}: got {name} with sha256 {found[:12]}, wanted {wanted.get(name, 'no such file')[:12]}"
    return ""


def _files(outputs: Iterable[str]) -> Iterator[Path]:
    """The results that exist; of a folder the files with a record, or the folder if there is none."""
    for path in (path for path in map(Path, outputs) if path.exists()):
        inside = [each.with_suffix("") for each in sorted(path.rglob("*.sha256"))] if path.is_dir() else [path]
        yield from inside or [path]
