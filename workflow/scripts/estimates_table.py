from adaptive_sharpness.study.running import job
from adaptive_sharpness.study.tables.estimates import estimates_table
from adaptive_sharpness.study.tables.part import marked

with job.running(snakemake):
    table = estimates_table(snakemake.input, snakemake.params.balls)
    marked(table, snakemake.params.part).to_csv(snakemake.output[0], index=False)
