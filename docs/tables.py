"""Tables that the pages show: read off the published results and the code whenever the site is built."""

import ast
import inspect
import re
from pathlib import Path

import pandas as pd
import yaml

from adaptive_sharpness import plugins
from adaptive_sharpness.study.tables.answers import verdict
from adaptive_sharpness.study.tables.tau import statistic_columns

ROOT = Path(__file__).parents[1]
STUDY, HAMMOUD = ROOT / "docs/results", ROOT / "studies/hammoud2023/results"
MEASURES = ("worst_case", "average_case", "hessian")
NETWORKS = ("fcnn", "lenet5", "gat")
TAU = {  # what a page calls a run: its table of taus
    "ladder": HAMMOUD / "ladder/tau.csv",
    "study": STUDY / "tau.csv",
    "study, Intel Xeon": ROOT / "docs/processors/intel_xeon.csv",
    "extended": HAMMOUD / "extended/tau.csv",
}
WAYS = {  # what a page calls a way to train and to measure: its protocol and measure
    "notebook as released": ("released", "released"),
    "text": ("report", "report_pga"),
    "reference": ("report", "worst_case"),
}
INTERVAL = "95 % interval"


def write(folder: Path) -> None:
    """Write every table as a CSV file, of the name that it has in `all_tables`.

    Args:
        folder: where; it is made if need be.
    """
    for name, table in all_tables().items():
        path = folder / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(path, index=False)


def all_tables() -> dict[str, pd.DataFrame]:
    """Return every table, by name; all cells are text."""
    runs, published = {run: headline_rows(path) for run, path in TAU.items()}, published_values()
    rungs = pd.read_csv(HAMMOUD / "ladder/ladder.csv")
    return {
        "result": result(runs, published),
        **{f"ways_{network}": ways(runs, published, network) for network in NETWORKS},
        **{f"ladder_{network}": ladder(rungs, runs["ladder"], network) for network in NETWORKS},
        "notebooks": notebooks(pd.read_csv(HAMMOUD / "ladder/prediction.csv")),
        "options": options(),
        "scales": scales(),
        "reference": reference(pd.read_csv(HAMMOUD / "reference/estimates.csv")),
        **{f"columns_{Path(table).stem}": rows for table, rows in columns().items()},
    }


def headline_rows(path: Path) -> pd.DataFrame:
    """Return the rows of a table of taus that are of headline quantities; all, where it has no others."""
    table = pd.read_csv(path)
    return table[table["headline"]] if "headline" in table else table


def published_values() -> dict[str, dict[str, float]]:
    """Return what the report prints for each network: rho, tau, p_value and n."""
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))
    return config["published"]["report_pga"]


def result(runs: dict[str, pd.DataFrame], published: dict[str, dict[str, float]]) -> pd.DataFrame:
    """Return a row for the published tau of each network, and for ours: as released, by the text, by the reference.

    Args:
        runs: the table of taus of each run.
        published: what `published_values` returns.
    """
    rows = []
    for network, values in published.items():
        cells = {"τ": signed(values["tau"]), "n": str(values["n"]), "p": f"{values['p_value']:.4f}"}
        rows.append({"network": network, "way": "published", **cells})
        for way, run in (
            ("notebook as released", "ladder"),
            *((way, run) for way in ("text", "reference") for run in ("study", "extended")),
        ):
            for row in answers(runs[run], network, way, values["rho"]):
                cells = {"n": f"{row['n']:.0f}", "p": f"{row['permutation_p']:.4f}", **compared(row)}
                rows.append({"network": network, "way": way, **cells})
    return pd.DataFrame(rows)[["network", "way", "n", "τ", INTERVAL, "p", "z", "published τ is"]].fillna("")


def ways(runs: dict[str, pd.DataFrame], published: dict[str, dict[str, float]], network: str) -> pd.DataFrame:
    """Return a row for each way and run of a network: its tau, and what is left of it given the training loss.

    A run that gives what another one gives has no row.

    Args:
        runs: the table of taus of each run.
        published: what `published_values` returns.
        network: a pool's name.
    """
    return pd.DataFrame(
        {
            "way": way,
            "run": run,
            "n": f"{row['n']:.0f}",
            **compared(row),
            "τ given training loss": with_interval(row, "partial_tau_gaussian"),
        }
        for way in WAYS
        for run, table in runs.items()
        for row in answers(table, network, way, published[network]["rho"])
    ).drop_duplicates(["way", "τ", "τ given training loss"])  # two kinds of processor can give the same


def ladder(rungs: pd.DataFrame, taus: pd.DataFrame, network: str) -> pd.DataFrame:
    """Return a row for each rung of a network's ladder; a change of tau whose interval excludes 0 is bold.

    Args:
        rungs: the table `ladder.csv`.
        taus: the table of taus of the same run.
        network: a pool's name.
    """
    keys = ["protocol", "pool", "measure", "rho"]
    partial = ["partial_tau_gaussian", "partial_tau_gaussian_low", "partial_tau_gaussian_high"]
    rows = rungs[rungs["pool"] == network].merge(taus[keys + partial], how="left", on=keys, validate="m:1")
    return pd.DataFrame(
        {
            "rung": str(row["rung"]),
            "what changes": row["describes"],
            "τ": with_interval(row, "tau"),
            "change of τ": change(row),
            "τ given training loss": with_interval(row, "partial_tau_gaussian"),
            "mean sharpness": f"{row['sharpness_mean']:.2g}",
        }
        for _, row in rows.iterrows()
    )


def notebooks(prediction: pd.DataFrame) -> pd.DataFrame:
    """Return what replicates of the notebooks foretell, and what the notebooks themselves gave elsewhere.

    Args:
        prediction: the table `prediction.csv`.
    """
    names = {"sharpness_mean": "mean sharpness", "test_loss_mean": "mean test loss", "tau": "τ"}
    return pd.DataFrame(
        {
            "network": row["pool"],
            "number": names[row["number"]],
            "replicates": str(row["replicates"]),
            "their range": span(row["lowest"], row["highest"], row["number"] == "tau"),
            "99 % interval of the next": span(row["low"], row["high"], row["number"] == "tau"),
            "notebook, run elsewhere": decimals(row["elsewhere"], row["number"] == "tau"),
            "lies in the interval": "yes" if row["inside"] else "no",
        }
        for _, row in prediction.iterrows()
    )


def reference(estimates: pd.DataFrame) -> pd.DataFrame:
    """Return how near each measure comes to the best value found, where the long search was run too.

    Args:
        estimates: the table `estimates.csv` of the study with `reference.yaml`.
    """
    beside = estimates[estimates["compared_with"].str.contains("reference", na=False)]
    ordered = pd.concat([beside[beside["pool"] == network].sort_values("rho", kind="stable") for network in NETWORKS])
    return pd.DataFrame(
        {
            "network": row["pool"],
            "ρ": f"{row['rho']:g}",
            "measure": f"`{row['measure']}`",
            "batches": f"{row['shared_batches']:.0f}",
            "share of the best value": f"{row['share_of_best']:.3f}",
            "lowest model": f"{row['worst_share']:.3f}",
            "τ of the rankings": f"{row['tau_of_rankings']:.3f}",
        }
        for _, row in ordered.iterrows()
    )


def options() -> pd.DataFrame:
    """Return the options of the measures, and what their docstrings say of each."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for measure in MEASURES:
        meanings = arguments(measure)
        for option, parameter in plugins.parameters("measures", measure).items():
            default = "" if parameter.required else f"`{parameter.default}`"
            found.setdefault((f"`{option}`", default, meanings[option]), []).append(f"`{measure}`")
    rows = [(option, ", ".join(takers), default, meaning) for (option, default, meaning), takers in found.items()]
    ordered = pd.DataFrame(rows, columns=["option", "of", "default", "meaning"])
    first = {option: place for place, option in reversed(list(enumerate(ordered["option"])))}
    return ordered.sort_values("option", key=lambda names: names.map(first), kind="stable")


def scales() -> pd.DataFrame:
    """Return the scales by name, and what their docstrings say of each; their code is read and not run."""
    body = plugins.parse(ROOT / "adaptive_sharpness/landscape/scales.py").body
    texts = {node.name: ast.get_docstring(node) for node in body if isinstance(node, ast.FunctionDef)}
    pattern = r"(?P<c>.*?)(?: \((?P<source>.*)\))?\.\n\nInvariant: (?P<invariant>.*)\.\n"
    said = {name: re.match(pattern, text or "") for name, text in texts.items()}
    rows = [{"scale": f"`{name}`", **found.groupdict("")} for name, found in said.items() if found]
    return pd.DataFrame(rows).rename(columns={"c": "what c is", "invariant": "the value stays under rescaling"})


def arguments(measure: str) -> dict[str, str]:
    """Return what the docstring of a measure says of each of its arguments; its code is read and not run."""
    body = plugins.parse(plugins.file("measures", measure)).body
    [function] = [node for node in body if isinstance(node, ast.FunctionDef) and node.name == measure]
    section = re.search(r"^Args:\n((?: +.*\n)+)", inspect.cleandoc(ast.get_docstring(function)), re.MULTILINE)[1]
    found = re.findall(r"^    (\w+): (.*\n(?: {5,}.*\n)*)", section, re.MULTILINE)
    return {name: " ".join(meaning.split()) for name, meaning in found}


def columns(folder: Path = ROOT / "plugins") -> dict[str, pd.DataFrame]:
    """Return the columns of each table and what they say; of tau.csv those of the statistics are the code's own.

    Args:
        folder: the user's plug-ins, whose statistics come last.
    """
    known = pd.read_csv(ROOT / "docs/columns.csv")
    named = known.assign(column="`" + known["column"] + "`")
    tables = {name: rows[["column", "meaning"]] for name, rows in named.groupby("table", sort=False)}
    statistics = pd.DataFrame(
        {"column": f"`{column.name}`", "meaning": column.answers, "source": column.source}
        for column in statistic_columns(folder)
    )
    return {**tables, "tau.csv": pd.concat([tables["tau.csv"].assign(source=""), statistics])}


def answers(table: pd.DataFrame, network: str, way: str, rho: float) -> list[pd.Series]:
    """Return the row of a network, way and radius; none where that was not run."""
    protocol, measure = WAYS[way]
    labels = pd.Series({"protocol": protocol, "pool": network, "measure": measure, "rho": rho})
    return [row for _, row in table[(table[list(labels.index)] == labels).all(axis=1)].iterrows()]


def compared(row: pd.Series) -> dict[str, str]:
    """Return the cells of a tau, of its interval and of its distance from the published one."""
    z = "" if pd.isna(row["z"]) else signed(row["z"], 2)
    interval = span(row["tau_low"], row["tau_high"])
    return {"τ": signed(row["tau"]), INTERVAL: interval, "z": z, "published τ is": verdict(row["z"])}


def change(row: pd.Series) -> str:
    """Return the change of tau with its interval, bold where the interval excludes 0."""
    cell = with_interval(row, "delta_tau", "delta")
    return f"**{cell}**" if row["delta_low"] > 0 or row["delta_high"] < 0 else cell


def with_interval(row: pd.Series, name: str, prefix: str = "") -> str:
    """Return a number with its 95 % interval, as in "+0.277 (+0.193 to +0.357)"; empty where there is no number."""
    low, high = row[f"{prefix or name}_low"], row[f"{prefix or name}_high"]
    return "" if pd.isna(row[name]) else f"{signed(row[name])} ({span(low, high)})"


def span(low: float, high: float, sign: bool = True) -> str:
    """Return "low to high", with or without a sign."""
    return f"{decimals(low, sign)} to {decimals(high, sign)}"


def decimals(value: float, sign: bool) -> str:
    """Return a number with three decimals, with or without a sign before a positive one."""
    return signed(value) if sign else signed(value).removeprefix("+")


def signed(value: float, places: int = 3) -> str:
    """Return a number with its sign.

    Example:
        >>> signed(-0.4563)
        '−0.456'
    """
    return f"{value:+.{places}f}".replace("-", "−")
