import pandas as pd

from adaptive_sharpness.study.running import job
from adaptive_sharpness.study.tables.ladder import ladder_table
from adaptive_sharpness.study.tables.part import marked

with job.running(snakemake):
    runs = pd.read_parquet(snakemake.input[0])
    marked(ladder_table(runs, snakemake.params.rungs), snakemake.params.part).to_csv(snakemake.output[0], index=False)
