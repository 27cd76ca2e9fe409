import pandas as pd

from adaptive_sharpness.study.running import job
from adaptive_sharpness.study.tables.part import marked
from adaptive_sharpness.study.tables.tau import read_test_losses, tau_table

with job.running(snakemake) as here:
    runs, estimates = pd.read_parquet(snakemake.input.runs), pd.read_csv(snakemake.input.estimates)
    losses, published = read_test_losses(snakemake.input.test_losses), snakemake.params.published
    table = tau_table(runs, published, estimates, losses, here.folder)
    marked(table, snakemake.params.part).to_csv(snakemake.output[0], index=False)
