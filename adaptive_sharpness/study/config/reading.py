"""From a config, as YAML gives it, to settings; every error is one line."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from adaptive_sharpness.study.config.consistency import contradictions
from adaptive_sharpness.study.config.messages import line, printable
from adaptive_sharpness.study.config.moved import moved_keys
from adaptive_sharpness.study.config.study import PathVars, Study
from adaptive_sharpness.study.config.yaml_file import plain_values, read_yaml

NUMBERS = ("seeds", "seeds_per_job", "protocols", "measures", "published", "ladder", "replicates")
BASE = "config/config.yaml"  # which Snakemake reads first
ADDED = "captions"  # what the workflow adds to its config for Snakemake's own report, and is no setting


def plain_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config as it was meant: numbers in place of texts that spell them, and the key `on` of a measure.

    YAML 1.1, which Snakemake reads, takes an unquoted `on` for true.

    Args:
        config: the study's, as YAML gives it.

    Returns:
        The same with other values; what was given is left as it is.

    Example:
        >>> plain_config({"measures": {"hessian": {True: {"fcnn": {}}, "batches": "5"}}})
        {'measures': {'hessian': {'on': {'fcnn': {}}, 'batches': 5}}}
    """
    said = {key: value for key, value in config.items() if key != ADDED}
    plain = {key: plain_values(value) if key in NUMBERS else value for key, value in said.items()}
    if isinstance(plain.get("measures"), dict):
        plain["measures"] = {name: _with_on(block) for name, block in plain["measures"].items()}
    return plain


def read_settings(config: Mapping[str, Any], files: Iterable[str] = ()) -> Study:
    """Return the settings of a study, held against the plug-ins that there are.

    Args:
        config: the study's config, as YAML gives it.
        files: the files that Snakemake has read it from; of two keys of one name it keeps the last, so that they are
            looked at again.

    Returns:
        Study.

    Raises:
        ValueError: where the config is wrong, or a plug-in that it names; one line.

    Example:
        >>> read_settings({"rho": [0.1]})
        Traceback (most recent call last):
        ValueError: config: rho: got a key of the old layout, wanted measures.MEASURE.on.POOL.rho
    """
    for path in files:
        read_yaml(path)
    config = plain_config(config)
    for said in moved_keys(config):
        raise ValueError(f"config: {printable(said)}")
    try:
        study = Study.model_validate(config)
    except ValidationError as error:
        raise ValueError(f"config: {printable(line(error, Study, config))}") from None
    for said in contradictions(study):
        raise ValueError(f"config: {printable(said)}")
    return study


def own_keys(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config without the keys of another workflow; one that is nearly a study's is taken for a mistake.

    Example:
        >>> own_keys({"samples": ["a"], "seeds": 3, "plugin": "mine"})
        {'seeds': 3, 'plugin': 'mine'}
    """
    known = Study.model_fields
    return {key: value for key, value in config.items() if key in known or get_close_matches(str(key), known)}


def merged_files(files: Iterable[str]) -> dict[str, Any]:
    r"""Return what config files say, each laid over those before it, as Snakemake does.

    Raises:
        ValueError: see `read_yaml`.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     files = [Path(folder, "study.yaml"), Path(folder, "quick.yaml")]
        ...     _ = files[0].write_text("seeds: 50\nonly: gat"), files[1].write_text("seeds: 8")
        ...     merged_files(files)
        {'seeds': 8, 'only': 'gat'}
    """
    config: dict[str, Any] = {}
    for path in files:
        config = merged(config, plain_config(read_yaml(path)))
    return config


def wholes(study: Study, files: Iterable[str]) -> list[Study]:
    """Return the studies of which a run may be a part: what its files ask for, whatever the command line says.

    Where the results are those of config/config.yaml, they are its study's too, and a file that asks for less makes a
    part.

    Args:
        study: the settings of the run.
        files: those that Snakemake lays over config/config.yaml.

    Returns:
        Their settings; nothing of files that are no study by themselves.

    Example:
        >>> from contextlib import chdir
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder, chdir(folder):
        ...     Path("config").mkdir()
        ...     _ = Path(BASE).write_text("seeds: 50")
        ...     wholes(Study.model_construct(), [])  # a number of seeds is no study by itself
        []
    """
    found, laid_over = [], [BASE, *files]
    of_base = (read_yaml(BASE).get("pathvars") or {}).get("results", PathVars().results)
    shared = study.pathvars.results == of_base and laid_over != [BASE]
    for paths in [[BASE], laid_over] if shared else [laid_over]:
        with suppress(ValueError):
            found.append(read_settings(merged_files(paths)))
    return found


def _with_on(block: Any) -> Any:
    """A measure's block in which `on` is called so; what the command line says of it wins over what a file says."""
    if not isinstance(block, dict) or True not in block:
        return block
    both = merged(block[True], block["on"]) if "on" in block else block[True]
    return {"on" if key is True else key: both if key is True else value for key, value in block.items() if key != "on"}


def merged(first: Any, second: Any) -> Any:
    """Return two values as Snakemake merges config files: mappings are merged, all else is replaced.

    Example:
        >>> merged({"a": {"b": 1, "c": [2]}}, {"a": {"c": [3]}})
        {'a': {'b': 1, 'c': [3]}}
    """
    if not isinstance(first, dict) or not isinstance(second, dict):
        return second
    both = {key: merged(first[key], value) if key in first else value for key, value in second.items()}
    return {**first, **both}
