import pandas as pd

from adaptive_sharpness import checksums, job, ladder

job.start(snakemake.log[0])
checksums.verify(snakemake.input)
table = ladder.ladder(pd.read_parquet(snakemake.input[0]), snakemake.params.rungs)
table.to_csv(snakemake.output[0], index=False)
checksums.record(snakemake.output)
