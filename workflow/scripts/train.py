from adaptive_sharpness import checksums, job, pool
from adaptive_sharpness.dataset import Dataset

first, last = map(int, snakemake.wildcards.seeds.split("-"))

job.start(snakemake.log[0], snakemake.threads)
checksums.verify(snakemake.input)
device = job.device(snakemake.resources.gpu)
trained = pool.train(
    snakemake.params.architecture,
    Dataset.read(snakemake.input.dataset),
    range(first, last + 1),
    device,
)
made_from = job.made_from(snakemake.params.architecture, snakemake.input.dataset)
trained.save(**snakemake.output, made_from=made_from, provenance=job.provenance(device))
checksums.record(snakemake.output)
