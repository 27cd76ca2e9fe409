from pathlib import Path

import pandas as pd

from adaptive_sharpness import job, page

job.start(snakemake.log[0])
drawn = [*snakemake.input.compared, *snakemake.input.figures]
html = page.render(
    pd.read_csv(snakemake.input.tau),
    pd.read_parquet(snakemake.input.runs),
    pd.read_csv(snakemake.input.estimates),
    [{**label, "path": path} for label, path in zip(snakemake.params.labels, drawn, strict=True)],
    snakemake.params.published,
)
Path(snakemake.output[0]).write_text(html, encoding="utf-8")
