from pathlib import Path

from adaptive_sharpness import checksums, datasets, fetching, job

raw, block = Path(snakemake.input[0]).parent, snakemake.params.block

job.start(snakemake.log[0], snakemake.threads)
checksums.verify(snakemake.input)
fetching.check(raw, block["sha256"])
datasets.load(snakemake.wildcards.dataset, raw).first(**block["limit"]).save(snakemake.output[0])
checksums.record(snakemake.output)
