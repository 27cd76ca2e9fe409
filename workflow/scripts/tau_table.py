import pandas as pd

from adaptive_sharpness import checksums, job, reliability, tables

job.start(snakemake.log[0])
checksums.verify(snakemake.input)
labels, files = snakemake.params.labels, snakemake.input.test_losses
shards = [{**each, "path": path} for each, path in zip(labels, files, strict=True)]
taus = tables.tau_table(
    pd.read_parquet(snakemake.input.runs),
    snakemake.params.published,
    pd.read_csv(snakemake.input.estimates),
    reliability.read_test_losses(shards),
)
taus.to_csv(snakemake.output[0], index=False)
checksums.record(snakemake.output)
