"""The job that draws the figures and writes the page."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from adaptive_sharpness.study.report.drawings import draw_figures, save_drawings
from adaptive_sharpness.study.report.page import render_page
from adaptive_sharpness.study.report.provenance import made_by
from adaptive_sharpness.study.report.tables import Tables
from adaptive_sharpness.study.running.job import Here
from adaptive_sharpness.study.tables.tau import statistic_columns

RECORDS = Path(".snakemake/metadata")  # where Snakemake notes of every file when it was made


def report(here: Here, inputs: Mapping, params: Mapping[str, str], scripts: str, outputs: Mapping[str, str]) -> None:
    """Draw all figures, and put them and the tables on one page that needs no network.

    Args:
        here: where the job runs.
        inputs: the files runs, tau and estimates, and ladder, a list of one or none.
        params: config, the sha256 of all settings; part, what the study leaves out, empty for a whole one.
        scripts: the folder of the script that calls, which lies in the project.
        outputs: the folder figures and the file page.
    """
    ladder = [pd.read_csv(path) for path in inputs["ladder"]]
    tables = Tables(
        pd.read_parquet(inputs["runs"]), pd.read_csv(inputs["tau"]), pd.read_csv(inputs["estimates"]), *ladder
    )
    drawings, figures, page = draw_figures(tables, here.folder), Path(outputs["figures"]), Path(outputs["page"])
    save_drawings(drawings, figures)
    how = made_by(tables.runs, params["config"], Path(scripts), page.parent, RECORDS)
    columns = statistic_columns(here.folder)
    page.write_text(render_page(tables, columns, drawings, figures, how, params["part"]), encoding="utf-8")
