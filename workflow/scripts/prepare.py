from pathlib import Path

from adaptive_sharpness import datasets, fetching, job, sanity

raw, block = Path(snakemake.input[0]).parent, snakemake.params.block

job.start(snakemake.log[0], snakemake.threads)
fetching.check(raw, block["sha256"])
dataset = sanity.sound(snakemake.wildcards.dataset, datasets.load(snakemake.wildcards.dataset, raw))
dataset.first(**block["limit"]).save(snakemake.output[0])
