import pandas as pd

from adaptive_sharpness import job, ladder

job.start(snakemake.log[0])
table = ladder.ladder(pd.read_parquet(snakemake.input[0]), snakemake.params.rungs)
table.to_csv(snakemake.output[0], index=False)
