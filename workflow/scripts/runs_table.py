from adaptive_sharpness.study.running import job
from adaptive_sharpness.study.tables.part import marked
from adaptive_sharpness.study.tables.runs import runs_table

with job.running(snakemake):
    runs = runs_table(snakemake.input.training, snakemake.input.sharpness)
    marked(runs, snakemake.params.part).to_parquet(snakemake.output[0], index=False)
