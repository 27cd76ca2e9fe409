from adaptive_sharpness.study.fetching import stage
from adaptive_sharpness.study.running import job

with job.running(snakemake) as here:
    stage.prepare(here, snakemake.input[0], snakemake.params.block, snakemake.output[0])
