import pandas as pd

from adaptive_sharpness import checksums, figures, job

job.start(snakemake.log[0])
checksums.verify(snakemake.input)
tau = figures.pools(pd.read_csv(snakemake.input.tau), snakemake.wildcards.protocol, snakemake.wildcards.measure)
figures.save(figures.tau_against_rho(tau), **snakemake.output)
checksums.record(snakemake.output)
