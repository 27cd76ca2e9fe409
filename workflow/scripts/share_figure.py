import pandas as pd

from adaptive_sharpness import checksums, figures, job

job.start(snakemake.log[0])
checksums.verify(snakemake.input)
estimates = pd.read_csv(snakemake.input.estimates)
of_protocol = estimates[estimates["protocol"] == snakemake.wildcards.protocol]
figures.save(figures.share_of_best(of_protocol), **snakemake.output)
checksums.record(snakemake.output)
