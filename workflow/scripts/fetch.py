from pathlib import Path

from adaptive_sharpness import fetching, job

job.start(snakemake.log[0])
fetching.fetch(**snakemake.params.wanted, target=Path(snakemake.output[0]).parent)
