"""The command `adaptive-sharpness tau`: its arguments, and what it prints. What it needs is imported when it runs."""

import argparse

DRAWS = 999
DESCRIPTION = """Say how well measures foretell targets in a table of runs: Kendall's tau with its interval and tests;
where hyper-parameters vary, also tau with one of them varied at a time, conditional information, sign errors, and what
is lost when a measure picks the run. A positive tau always says: the higher the measure, the worse the run."""
EXAMPLE = """example:
  adaptive-sharpness tau runs.csv --measure sharpness --measure weight_norm --target val_loss \\
      --vary lr,wd --repeats seed --given train_loss --out answers"""


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add the command to those of the command line.

    Args:
        commands: what `add_subparsers` returns.

    Example:
        >>> parser = argparse.ArgumentParser()
        >>> add_command(parser.add_subparsers())
        >>> parser.parse_args(["tau", "runs.csv", "--vary", "lr,wd"]).vary
        [['lr', 'wd']]
    """
    shown = argparse.RawDescriptionHelpFormatter
    text = "say how well measures foretell targets in a table of your own runs"
    command = commands.add_parser("tau", help=text, description=DESCRIPTION, epilog=EXAMPLE, formatter_class=shown)
    add = command.add_argument
    several = {"action": "append", "default": [], "metavar": "NAME"}
    add("runs", metavar="RUNS", help="a csv or parquet file, a row a run; - for standard input")
    add("--measure", **several, help="a column of which is asked what it foretells; may be repeated")
    add("--target", **several, help="a column that it should foretell, of which less is better; may be repeated")
    add("--maximise", **several, help="a target of which more is better, such as accuracy; may be repeated")
    listed = {"type": _names, "action": "append", "default": [], "metavar": "NAME,NAME"}
    add("--vary", **listed, help="hyper-parameters; rows that share all of them are repeats of one setting")
    add("--repeats", metavar="COLUMN", help="tells the repeats of a setting apart, such as seed; to check them")
    add("--clusters", metavar="COLUMN", help="rows that share its value are no independent draws; else settings are")
    add("--given", metavar="COLUMN", help="what a partial tau is given, such as train_loss")
    add("--by", metavar="COLUMN", help="answers for each of its values")
    add("--draws", type=_at_least(1), default=DRAWS, metavar="N", help=f"exchanges of a test ({DRAWS})")
    add("--seed", type=_at_least(0), default=0, metavar="N", help="of the exchanges (0)")
    add("--out", metavar="DIR", help="write tau.csv, axes.csv, information.csv, sign_errors.csv, selection.csv there")
    add("--json", action="store_true", help="print all as JSON")
    command.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> None:
    """Print what is asked for.

    Args:
        chosen: the arguments.

    Raises:
        ValueError: if the table cannot be read, or cannot answer.

    Example:
        >>> import pandas as pd
        >>> parser = argparse.ArgumentParser()
        >>> add_command(parser.add_subparsers())
        >>> pd.DataFrame({"loss": [1.0], "arch": ["cnn"]}).to_csv("runs.csv")
        >>> run(parser.parse_args(["tau", "runs.csv"]))
        Traceback (most recent call last):
        ValueError: runs.csv: got no --measure, wanted at least one; its columns of numbers: Unnamed: 0, loss
    """
    from adaptive_sharpness.tables_of_runs.analysis import COLUMNS, answers
    from adaptive_sharpness.tables_of_runs.columns import check, numeric_columns
    from adaptive_sharpness.tables_of_runs.comparisons import comparisons, labelled
    from adaptive_sharpness.tables_of_runs.reading import read_runs
    from adaptive_sharpness.tables_of_runs.terminal import say, show
    from adaptive_sharpness.tables_of_runs.words import sentences
    from adaptive_sharpness.tables_of_runs.writing import as_json, write_tables

    table, question = read_runs(chosen.runs), _question(chosen)
    for option, names in (("--measure", question.measures), ("--target", question.targets)):
        if not names:
            listed = ", ".join(numeric_columns(table)) or "none"
            raise ValueError(f"{chosen.runs}: got no {option}, wanted at least one; its columns of numbers: {listed}")
    check(question, table, frozenset(name for columns in COLUMNS.values() for name in columns))
    rows, notes = labelled(table, question)
    found = list(comparisons(rows, question))
    notes += _notes(found, chosen.draws)
    tables = {}
    for name, answer in answers(found, question, chosen.draws, chosen.seed):
        tables[name] = answer
        if not chosen.json and (question.vary or name in ("tau", "selection")):
            show(name, answer)
    said = list(sentences(tables["tau"], tables["axes"], question))
    if chosen.out:
        write_tables(tables, chosen.out)
    if chosen.json:
        about = {"runs": chosen.runs, "rows": len(table), "draws": chosen.draws, "seed": chosen.seed}
        print(as_json(tables, {**about, "notes": notes, "sentences": said}))
    else:
        say(*notes, *said)


def _question(chosen: argparse.Namespace):
    from adaptive_sharpness.tables_of_runs.columns import Question

    once = [tuple(dict.fromkeys(names)) for names in (chosen.measure, [*chosen.target, *chosen.maximise])]
    vary = tuple(dict.fromkeys(name for names in chosen.vary for name in names))
    others = {name: getattr(chosen, name) for name in ("repeats", "clusters", "given", "by")}
    return Question(*once, tuple(dict.fromkeys(chosen.maximise)), vary, **others)


def _notes(found: list, draws: int) -> list[str]:
    """Whether so many tests by exchange can reach a corrected p of 5 % at all."""
    exchanged = any(not each.independent for each in found)
    least = len(found) / (draws + 1)
    if not exchanged or least < 0.05:
        return []
    return [f"{len(found)} tests by {draws} exchanges: no Holm's p can be below {min(least, 1):.2g}; take more --draws"]


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise argparse.ArgumentTypeError(f"got {text!r}, wanted names with a comma between them")
    return names


def _at_least(least: int):
    def number(text: str) -> int:
        if not text.isdigit() or int(text) < least:
            raise argparse.ArgumentTypeError(f"got {text!r}, wanted a whole number of at least {least}")
        return int(text)

    return number
