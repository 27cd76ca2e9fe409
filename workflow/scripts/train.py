from adaptive_sharpness.study.running import job
from adaptive_sharpness.study.training import stage

with job.running(snakemake) as here:
    stage.train(
        here, snakemake.params.pool, snakemake.input.dataset, snakemake.wildcards, dict(snakemake.output.items())
    )
