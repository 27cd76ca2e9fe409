"""The command line: what can be asked of a config and of the plug-ins without running a study."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from adaptive_sharpness import __version__, plugins

BASE = "config/config.yaml"  # which Snakemake reads first


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command adaptive-sharpness.

    Args:
        arguments: those of the command line, if none are given.

    Returns:
        The exit code: 0, or 2 for a config that is wrong.

    Example:
        >>> main(["plugins", "measures"])
        average_case
        hessian
        worst_case
        0
    """
    chosen = _parser().parse_args(arguments)
    try:
        chosen.run(chosen)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("adaptive-sharpness", description="Sharpness of minima and generalisation.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    check = commands.add_parser("check", help="hold a study's config files against all that it names")
    check.add_argument("configs", nargs="*", metavar="CONFIG", help=f"laid over {BASE}, in this order")
    check.set_defaults(run=_check)
    schema = commands.add_parser("schema", help="print the JSON schema of a config, for editors")
    schema.set_defaults(run=_schema)
    listed = commands.add_parser("plugins", help="list the plug-ins of a kind, the user's too")
    listed.add_argument("kind", choices=plugins.KINDS)
    listed.add_argument("--folder", default="plugins", help="the user's plug-ins")
    listed.set_defaults(run=_plugins)
    return parser


def _check(chosen: argparse.Namespace) -> None:
    from adaptive_sharpness.study.config.reading import merged, plain_config, read_settings
    from adaptive_sharpness.study.config.yaml_file import read_yaml

    config, paths = {}, dict.fromkeys([BASE, *chosen.configs])
    for path in paths:
        config = merged(config, plain_config(read_yaml(path)))
    study = read_settings(config)
    table = Table("pool", "models", "measurements", title=", ".join(paths))
    for protocol, pools in study.protocols.items():
        for pool in pools:
            taken = [study.measures[name].on[pool] for name in study.measures if study.is_taken(name, protocol, pool)]
            measurements = sum(len(each.rho or [None]) for each in taken)
            table.add_row(f"{protocol}/{pool}", str(study.seeds_of(protocol, pool)), str(measurements))
    Console().print(table)


def _schema(_: argparse.Namespace) -> None:
    from adaptive_sharpness.study.config.schema import json_schema

    print(json.dumps(json_schema(), indent=2))


def _plugins(chosen: argparse.Namespace) -> None:
    for name in plugins.names(chosen.kind, Path(chosen.folder)):
        print(name)
