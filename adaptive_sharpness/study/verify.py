"""Hold all that stands below the calling folder against what this code makes of the configs there."""

from collections.abc import Iterator
from pathlib import Path

from adaptive_sharpness.study.config.reading import BASE, merged_files, read_settings
from adaptive_sharpness.study.config.study import Study
from adaptive_sharpness.study.outdated import Results
from adaptive_sharpness.study.plan import Plan


def verify_study() -> Iterator[str]:
    """Yield a line about each result of config/config.yaml that is missing, damaged or made from something else."""
    yield from _results(_settings()).check()


def verify_all() -> Iterator[str]:
    """Yield a line about each result, and each published copy of one, that is damaged or made from something else.

    Looked at are the results of config/config.yaml and of the configs beside it and in studies/ that have a folder of
    their own, and the copies in docs/results and in studies/STUDY/results.
    """
    study = _settings()
    yield from _results(study).check(missing=False)
    yield from _results(study).check_copies(Path("docs/results"))
    for path in [*sorted(Path("config").glob("*.yaml")), *sorted(Path("studies").glob("*/*.yaml"))]:
        other = _settings(path)
        if other.pathvars.results != study.pathvars.results:
            yield from _results(other).check(missing=False)
        yield from _results(other).check_copies(path.parent / "results" / path.stem)


def _settings(*configs: Path) -> Study:
    return read_settings(merged_files(dict.fromkeys([BASE, *map(str, configs)])))


def _results(study: Study) -> Results:
    return Results(Plan(study, lambda rule: Path(f"workflow/scripts/{rule}.py")))
