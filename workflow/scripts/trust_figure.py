import pandas as pd

from adaptive_sharpness import figures, job

job.start(snakemake.log[0])
tau = pd.read_csv(snakemake.input.tau)
figures.save(figures.trust(tau[tau["protocol"] == snakemake.wildcards.protocol]), **snakemake.output)
