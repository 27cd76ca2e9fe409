import pandas as pd

from adaptive_sharpness import checksums, job, pools

job.start(snakemake.log[0])
checksums.verify(snakemake.input)
runs, cut = pd.read_parquet(snakemake.input[0]), snakemake.params.cut
found = pools.pools(runs[(runs["protocol"] == cut["protocol"]) & (runs["measure"] == cut["measure"])], cut["size"])
found.to_csv(snakemake.output.pools, index=False)
pools.prediction(found, cut.get("elsewhere", {})).to_csv(snakemake.output.prediction, index=False)
checksums.record(snakemake.output)
