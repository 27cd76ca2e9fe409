from adaptive_sharpness import job, measuring
from adaptive_sharpness.dataset import Dataset

job.start(snakemake.log[0], snakemake.threads)
device = job.device(snakemake.resources.gpu)
measured = measuring.sharpness(
    snakemake.wildcards.architecture,
    snakemake.params.blocks["architecture"],
    snakemake.params.blocks["measure"],
    float(snakemake.wildcards.rho),
    snakemake.input.checkpoint,
    Dataset.read(snakemake.input.dataset),
    device,
)
measured.assign(**job.provenance(device)).to_parquet(snakemake.output[0], index=False)
