from adaptive_sharpness.study.running import job
from adaptive_sharpness.study.tables.estimates import estimates_table

with job.running(snakemake):
    estimates_table(snakemake.input, snakemake.params.balls).to_csv(snakemake.output[0], index=False)
