from pathlib import Path

import pandas as pd

from adaptive_sharpness import job, page

job.start(snakemake.log[0])
html = page.render(
    pd.read_csv(snakemake.input.tau),
    pd.read_parquet(snakemake.input.runs),
    [{**label, "path": path} for label, path in zip(snakemake.params.labels, snakemake.input.figures, strict=True)],
    snakemake.params.published,
)
Path(snakemake.output[0]).write_text(html, encoding="utf-8")
