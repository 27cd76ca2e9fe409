"""Lines about pools of models that were trained elsewhere."""

from collections.abc import Iterator
from pathlib import Path

from adaptive_sharpness.study.config.messages import short
from adaptive_sharpness.study.config.option_lines import spellable, with_options
from adaptive_sharpness.study.config.study import Study


def imported_lines(where: str, protocol: str, pool: str, study: Study) -> Iterator[str]:
    """Yield a line about each thing that is wrong with a pool's table, or contradicts it.

    Args:
        where: the pool's place in the config.
        protocol: its protocol.
        pool: its name.
        study: the settings; the table of a pool that is left out is not looked at.

    Example:
        >>> from adaptive_sharpness.study.config.pools import Checkpoints, PoolSettings
        >>> named = Checkpoints(table="theirs.csv", sha256="0" * 64)
        >>> block = PoolSettings(dataset="cora", loss="nll_loss", checkpoints=named)
        >>> study = Study.model_construct(protocols={"other": {"gat": block}})
        >>> next(imported_lines("protocols.other.gat", "other", "gat", study))
        'protocols.other.gat.checkpoints: theirs.csv: got No such file or directory, wanted a table of models'
    """
    block = study.protocols[protocol][pool]
    table = Path(block.checkpoints.table)
    if table.is_absolute() or ".." in table.parts or not table.resolve().is_relative_to(Path.cwd().resolve()):
        wanted = f"one below {Path.cwd()}, without .. or a leading /"
        yield f"{where}.checkpoints.table: got {short(block.checkpoints.table)}, wanted {wanted}"
    if block.stacked > 1:
        yield f"{where}.stacked: got {block.stacked}, wanted none: these models are trained already"
    if study.is_done(protocol, pool):
        try:
            rows = study.models_of(protocol, pool)
        except ValueError as error:
            yield f"{where}.checkpoints: {error}"
            return
        if block.seeds not in (None, len(rows)):
            yield f"{where}.seeds: got {block.seeds}, wanted {len(rows)}, the models of {table}, or nothing"
        yield from _options(where, protocol, pool, study)


def _options(where: str, protocol: str, pool: str, study: Study) -> Iterator[str]:
    """Options of the pool, and of each shape in its table, that the architecture does not take."""
    block, seen = study.protocols[protocol][pool], []
    place, name = f"{where}.architecture" if block.architecture else where, block.architecture or pool
    for row in study.models_of(protocol, pool):
        if row.options not in seen:
            seen.append(row.options)
            whole = {**block.options, **row.options}
            column = f"{where}.checkpoints: {block.checkpoints.table}, line {row.line}: options"
            for holder, options in ((f"{where}.options", block.options), (column, row.options)):
                yield from with_options(place, holder, "architectures", name, options, study.plugins, whole=whole)
            yield from spellable(column, row.options)
