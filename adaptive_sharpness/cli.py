"""The command line: what can be asked of a config, of the plug-ins and of a table without running a study."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from adaptive_sharpness import __version__, plugins
from adaptive_sharpness.tables_of_runs.command import add_command

BASE = "config/config.yaml"  # which Snakemake reads first


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command adaptive-sharpness.

    Args:
        arguments: those of the command line, if none are given.

    Returns:
        The exit code: 0; 1 for results that do not fit, or 2 for a config or a question that is wrong.

    Example:
        >>> main(["plugins", "measures"])
        average_case
        hessian
        worst_case
        0
    """
    chosen = _parser().parse_args(arguments)
    try:
        return chosen.run(chosen) or 0
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("adaptive-sharpness", description="Sharpness of minima and generalisation.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    check = commands.add_parser("check", help="hold a study's config files against all that it names")
    check.add_argument("configs", nargs="*", metavar="CONFIG", help=f"laid over {BASE}, in this order")
    check.set_defaults(run=_check)
    verify = commands.add_parser("verify", help="hold results and what is published of them against code and config")
    verify.add_argument("--complete", action="store_true", help=f"the study of {BASE} alone, which must be finished")
    verify.set_defaults(run=_verify)
    schema = commands.add_parser("schema", help="print the JSON schema of a config, for editors")
    schema.set_defaults(run=_schema)
    listed = commands.add_parser("plugins", help="list the plug-ins of a kind, the user's too")
    listed.add_argument("kind", choices=plugins.KINDS)
    listed.add_argument("--folder", default="plugins", help="the user's plug-ins")
    listed.set_defaults(run=_plugins)
    add_command(commands)
    return parser


def _check(chosen: argparse.Namespace) -> None:
    from adaptive_sharpness.study.config.reading import merged_files, read_settings

    paths = dict.fromkeys([BASE, *chosen.configs])
    study = read_settings(merged_files(paths))
    table = Table("pool", "models", "measurements", title=", ".join(paths))
    for protocol, pool in study.pools_done():
        taken = [study.measures[name].on[pool] for name in study.measures if study.is_taken(name, protocol, pool)]
        measurements = sum(len(each.rho or [None]) for each in taken)
        table.add_row(f"{protocol}/{pool}", str(study.seeds_of(protocol, pool)), str(measurements))
    Console().print(table)


def _verify(chosen: argparse.Namespace) -> int:
    from adaptive_sharpness.study.verify import verify_all, verify_study

    faults = list(verify_study() if chosen.complete else verify_all())
    print(*faults, f"{len(faults)} results do not fit", sep="\n")
    return 1 if faults else 0


def _schema(_: argparse.Namespace) -> None:
    from adaptive_sharpness.study.config.schema import json_schema

    print(json.dumps(json_schema(), indent=2))


def _plugins(chosen: argparse.Namespace) -> None:
    for name in plugins.names(chosen.kind, Path(chosen.folder)):
        print(name)


if __name__ == "__main__":
    sys.exit(main())
