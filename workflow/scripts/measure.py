from adaptive_sharpness.study.measuring import stage
from adaptive_sharpness.study.running import job

with job.running(snakemake) as here:
    asked = {name: files[0] for name in ("initial", "test_losses") if (files := snakemake.input.get(name))}
    inputs = {"dataset": snakemake.input.dataset, "checkpoint": snakemake.input.checkpoint, **asked}
    stage.measure(here, snakemake.params.pool, snakemake.params.way, snakemake.wildcards, inputs, snakemake.output[0])
