from adaptive_sharpness.study.importing import stage
from adaptive_sharpness.study.running import job

with job.running(snakemake) as here:
    stage.import_models(
        here,
        snakemake.params.pool,
        snakemake.params.rows,
        snakemake.input.dataset,
        snakemake.wildcards,
        dict(snakemake.output.items()),
    )
