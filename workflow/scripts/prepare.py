from pathlib import Path

from adaptive_sharpness import checksums, datasets, fetching, job, sanity

name, raw, block = snakemake.wildcards.dataset, Path(snakemake.input[0]).parent, snakemake.params.block

job.start(snakemake.log[0], snakemake.threads)
checksums.verify(snakemake.input)
fetching.check(raw, block["sha256"])
dataset = sanity.sound(name, datasets.load(name, raw))
dataset.first(**block["limit"]).save(snakemake.output[0])
checksums.record(snakemake.output)
