from pathlib import Path

from adaptive_sharpness.study.fetching import fetch
from adaptive_sharpness.study.running import job

sources = snakemake.config["datasets"][snakemake.wildcards.dataset].get("sources", [])
job.start(snakemake.log[0])
fetch.fetch(sources, snakemake.params.sha256, Path(snakemake.output[0]).parent)
