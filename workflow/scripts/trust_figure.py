import pandas as pd

from adaptive_sharpness import checksums, figures, job

job.start(snakemake.log[0])
checksums.verify(snakemake.input)
tau = pd.read_csv(snakemake.input.tau)
figures.save(figures.trust(tau[tau["protocol"] == snakemake.wildcards.protocol]), **snakemake.output)
checksums.record(snakemake.output)
