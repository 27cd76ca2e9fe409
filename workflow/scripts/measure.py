from adaptive_sharpness import job, pool
from adaptive_sharpness.dataset import Dataset

job.start(snakemake.log[0], snakemake.threads)
device = job.device(snakemake.resources.gpu)
measured = pool.sharpness(
    snakemake.wildcards.architecture,
    snakemake.params.blocks["architecture"],
    snakemake.params.blocks["measure"],
    float(snakemake.wildcards.rho),
    snakemake.input.checkpoint,
    Dataset.read(snakemake.input.dataset),
    device,
)
measured.assign(**job.provenance(device)).to_parquet(snakemake.output[0], index=False)
