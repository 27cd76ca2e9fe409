import pandas as pd

from adaptive_sharpness import checksums, figures, job

job.start(snakemake.log[0])
checksums.verify(snakemake.input)
runs, tau = pd.read_parquet(snakemake.input.runs), pd.read_csv(snakemake.input.tau)
pools = [figures.pools(table, snakemake.wildcards.protocol, snakemake.wildcards.measure) for table in (runs, tau)]
figures.save(figures.scatter(*pools), **snakemake.output)
checksums.record(snakemake.output)
