from adaptive_sharpness import checksums, job, measuring
from adaptive_sharpness.dataset import Dataset

job.start(snakemake.log[0], snakemake.threads)
checksums.verify(snakemake.input)
device = job.device(snakemake.resources.gpu)
architecture, measure = snakemake.params.blocks["architecture"], snakemake.params.blocks["measure"]
measured = measuring.sharpness(
    architecture,
    measure,
    None if snakemake.wildcards.rho == "none" else float(snakemake.wildcards.rho),
    snakemake.input.checkpoint,
    job.made_from(architecture, snakemake.input.dataset),
    Dataset.read(snakemake.input.dataset),
    device,
)
measured.assign(**job.provenance(device)).to_parquet(snakemake.output[0], index=False)
checksums.record(snakemake.output)
