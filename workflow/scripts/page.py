from pathlib import Path

import pandas as pd

from adaptive_sharpness import checksums, job, page, provenance

job.start(snakemake.log[0])
checksums.verify(snakemake.input)
given, output = snakemake.input, Path(snakemake.output[0])
runs, records = pd.read_parquet(given.runs), Path(".snakemake/metadata")
html = page.render(
    pd.read_csv(given.tau),
    pd.read_csv(given.estimates),
    [{**label, "path": path} for label, path in zip(snakemake.params.labels, given.figures, strict=True)],
    provenance.made_by(runs, snakemake.config, Path(snakemake.scriptdir), output.parent, records),
    *map(pd.read_csv, given.ladder),
)
output.write_text(html, encoding="utf-8")
checksums.record(snakemake.output)
