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
    export = commands.add_parser("export", help="write a finished pool's models for other programs, and their table")
    export.add_argument("pool", metavar="POOL", help="a pool's name, or PROTOCOL/POOL; and /SETTING where it varies")
    export.add_argument("--to", required=True, choices=("safetensors", "pytorch", "numpy"), help="the files' format")
    export.add_argument("--out", metavar="DIR", help="for the files, new or empty; pools/PROTOCOL/POOL where not said")
    export.add_argument("--configfile", nargs="+", default=[], metavar="CONFIG", help=f"laid over {BASE}")
    export.set_defaults(run=_export)
    listed = commands.add_parser("plugins", help="list the plug-ins of a kind, the user's too")
    listed.add_argument("kind", choices=plugins.KINDS)
    listed.add_argument("--folder", default="plugins", help="the user's plug-ins")
    listed.set_defaults(run=_plugins)
    add_command(commands)
    return parser


def _check(chosen: argparse.Namespace) -> None:
    from adaptive_sharpness.study.config.reading import merged_files, read_settings
    from adaptive_sharpness.study.config.settings_of_pool import settings_of

    paths = dict.fromkeys([BASE, *chosen.configs])
    study = read_settings(merged_files(paths))
    table = Table("pool", "models", "measurements", title=", ".join(paths))
    for protocol, pool in study.pools_done():
        taken = [study.measures[name].on[pool] for name in study.measures if study.is_taken(name, protocol, pool)]
        measurements = sum(len(each.rho or [None]) for each in taken)
        settings = settings_of(f"protocols.{protocol}.{pool}", study.protocols[protocol][pool])
        models = len(settings) * study.seeds_of(protocol, pool)
        table.add_row(f"{protocol}/{pool}", str(models), str(measurements))
    Console().print(table)


def _verify(chosen: argparse.Namespace) -> int:
    from adaptive_sharpness.study.verify import verify_all, verify_study

    faults = list(verify_study() if chosen.complete else verify_all())
    print(*faults, f"{len(faults)} results do not fit", sep="\n")
    return 1 if faults else 0


def _schema(_: argparse.Namespace) -> None:
    from adaptive_sharpness.study.config.schema import json_schema

    print(json.dumps(json_schema(), indent=2))


def _export(chosen: argparse.Namespace) -> None:
    from adaptive_sharpness.study.config.reading import merged_files, read_settings
    from adaptive_sharpness.study.exporting import export_pool, named_pool
    from adaptive_sharpness.study.plan import Plan

    study = read_settings(merged_files(dict.fromkeys([BASE, *chosen.configfile])))
    pool = named_pool(study, chosen.pool)
    plan = Plan(study, lambda rule: Path(f"workflow/scripts/{rule}.py"))
    found = export_pool(plan, pool, chosen.to, chosen.out or f"pools/{pool}")
    for seed in found.diverged:
        print(f"pool {pool}: got weights of seed {seed} that are not finite: left out", file=sys.stderr)
    print(found.block, end="")


def _plugins(chosen: argparse.Namespace) -> None:
    for name in plugins.names(chosen.kind, Path(chosen.folder)):
        print(name)


if __name__ == "__main__":
    sys.exit(main())
