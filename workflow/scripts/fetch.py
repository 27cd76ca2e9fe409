from pathlib import Path

from adaptive_sharpness import fetching, job

sources = snakemake.config["datasets"][snakemake.wildcards.dataset]["sources"]

job.start(snakemake.log[0])
fetching.fetch(sources, snakemake.params.sha256, Path(snakemake.output[0]).parent)
