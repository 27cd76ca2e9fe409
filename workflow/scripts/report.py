from adaptive_sharpness.study.report import stage
from adaptive_sharpness.study.running import job

with job.running(snakemake) as here:
    inputs, outputs = dict(snakemake.input.items()), dict(snakemake.output.items())
    stage.report(here, inputs, dict(snakemake.params.items()), snakemake.scriptdir, outputs)
