"""What no block can say of itself: names that must exist elsewhere, options that must fit, radii that must differ."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from adaptive_sharpness import plugins
from adaptive_sharpness.study.config.measure_lines import measure_lines
from adaptive_sharpness.study.config.messages import short, unknown
from adaptive_sharpness.study.config.option_lines import among, named
from adaptive_sharpness.study.config.pool_lines import pool_lines
from adaptive_sharpness.study.config.study import Study


def contradictions(study: Study) -> Iterator[str]:
    """Yield a line about each place where a config contradicts itself, or the plug-ins that there are.

    Args:
        study: the settings.

    Yields:
        KEY: got ..., wanted ... Each may rest on those before it: only the first is sure to be true.

    Raises:
        ValueError: if a plug-in is no Python, or lacks its function; one line that names its file.

    Example:
        >>> from adaptive_sharpness.study.config.datasets import DatasetSettings
        >>> datasets = {"cora": DatasetSettings(raw="abalon"), "abalone": DatasetSettings()}
        >>> next(contradictions(Study.model_construct(datasets=datasets)))
        "datasets.cora.raw: got 'abalon', wanted one of abalone (did you mean abalone?)"
    """
    yield from _folder(study)
    yield from _datasets(study)
    yield from pool_lines(study)
    yield from measure_lines(study)
    yield from _missing(study)
    yield from _tables(study)


def _folder(study: Study) -> Iterator[str]:
    """The user's folder is one below the calling one, and each kind in it is one that there is."""
    folder = Path(study.plugins)
    if folder.is_absolute() or ".." in folder.parts or not folder.resolve().is_relative_to(Path.cwd().resolve()):
        yield f"plugins: got {short(study.plugins)}, wanted a folder below {Path.cwd()}, without .. or a leading /"
    for place in sorted(folder.glob("[!_.]*/")):
        if place.name != "__pycache__" and any(place.glob("*.py")) and place.name not in plugins.KINDS:
            yield unknown(f"plugins: {place}", place.name, plugins.KINDS)
    for kind in plugins.KINDS:
        for name in plugins.names(kind, folder):
            path = plugins.file(kind, name, folder)  # says so where the package has one of this name
            if name in plugins.torch_names(kind) and not path.is_relative_to(plugins.PACKAGE):
                yield f"plugins: got {path}, which has the name of one of torch, wanted another name"


def _datasets(study: Study) -> Iterator[str]:
    owners = [name for name, block in study.datasets.items() if block.raw is None]
    for name, block in study.datasets.items():
        where = f"datasets.{name}"
        yield from named(where, "datasets", name, study.plugins)
        if block.raw is not None:
            yield from among(f"{where}.raw", block.raw, owners)
        for key, text in (
            ("sha256", "a mapping from raw files to their sha256"),
            ("sources", "a list of sources, each with one of directory, pypi, debian, web"),
        ):
            value = getattr(block, key)
            if block.raw is not None and value is not None:
                said = value if key == "sha256" else [source.canonical() for source in value]
                yield f"{where}.{key}: got {short(said)}, wanted none, since the raw files are another data set's"
            if block.raw is None and value is None and (key, block.sha256) != ("sources", {}):
                yield f"{where}.{key}: is missing, wanted {text}"
        for position, source in enumerate(block.sources or ()):
            for key in ("files", "also"):
                for file in getattr(source, key) or ():
                    yield from among(f"{where}.sources[{position}].{key}.{file}", file, list(block.sha256))


def _missing(study: Study) -> Iterator[str]:
    """Pools that nothing measures, or of which nobody says how many models they have."""
    for protocol, pool in study.pools_done():
        if not any(study.is_taken(measure, protocol, pool) for measure in study.measures):
            wanted = f"at least one that names it under on, such as {pool}: {{rho: [0.01]}}"
            place = pool if not any(pool in block.on for block in study.measures.values()) else f"{protocol}/{pool}"
            yield f"measures: got none on {place}, wanted {wanted}"
        if study.seeds_of(protocol, pool) is None:
            yield f"seeds.{pool}: is missing, wanted a whole number of models, at least 1"


def _tables(study: Study) -> Iterator[str]:
    names = study.pool_names()
    both = [f"{protocol}/{pool}" for protocol, pools in study.protocols.items() for pool in pools]
    for name in study.chosen:
        if name not in study.protocols:
            yield from among("only", name, both if "/" in name else names)
    for key in ("seeds", "seeds_per_job", "ladder"):
        value = getattr(study, key)
        for name in value if isinstance(value, dict) else ():
            yield from among(f"{key}.{name}", name, names)
    for measure, pools in study.published.items():
        yield from among(f"published.{measure}", measure, study.measures)
        for name in pools:
            yield from among(f"published.{measure}.{name}", name, names)
    yield from _replicates(study)
    for pool, rungs in (study.ladder or {}).items():
        for position, rung in enumerate(rungs):
            where = f"ladder.{pool}[{position}]"
            yield from among(
                f"{where}.protocol", rung.protocol, [p for p, pools in study.protocols.items() if pool in pools]
            )
            if study.protocols[rung.protocol][pool].vary:
                yield f"{where}.protocol: got {rung.protocol}, whose {pool} varies, wanted a pool of one setting"
            yield from among(f"{where}.measure", rung.measure, _measured(study, rung.protocol, [pool]))
            radii = study.measures[rung.measure].on[pool].rho
            if study.is_done(rung.protocol, pool) and rung.rho not in (radii or [None]):
                yield unknown(f"{where}.rho", rung.rho, [repr(rho) for rho in radii or ["none"]])


def _replicates(study: Study) -> Iterator[str]:
    block = study.replicates
    if block is not None:
        yield from among("replicates.protocol", block.protocol, study.protocols)
        pools = study.protocols[block.protocol]
        yield from among("replicates.measure", block.measure, _measured(study, block.protocol, pools))
        for name in pools:
            if pools[name].vary and study.is_taken(block.measure, block.protocol, name):
                yield f"replicates.protocol: got {block.protocol}, whose {name} varies, wanted pools of one setting"
        for name in block.elsewhere:
            yield from among(f"replicates.elsewhere.{name}", name, study.pool_names())


def _measured(study: Study, protocol: str, pools: Iterable[str]) -> list[str]:
    """The measures that are taken on some of these pools, as this protocol trains them."""
    return [measure for measure in study.measures if any(study.is_taken(measure, protocol, pool) for pool in pools)]
