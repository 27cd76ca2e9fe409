import pandas as pd

from adaptive_sharpness import job, tables

job.start(snakemake.log[0])
taus = tables.tau_table(pd.read_parquet(snakemake.input[0]), snakemake.params.published)
taus.to_csv(snakemake.output[0], index=False)
