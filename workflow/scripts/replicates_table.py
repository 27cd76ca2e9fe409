import pandas as pd

from adaptive_sharpness.study.running import job
from adaptive_sharpness.study.tables.replicates import prediction_table, replicates_table

with job.running(snakemake):
    cut = snakemake.params.block
    runs = pd.read_parquet(snakemake.input[0], filters=[(key, "==", cut[key]) for key in ("protocol", "measure")])
    (replicates := replicates_table(runs, cut["size"])).to_csv(snakemake.output.replicates, index=False)
    prediction_table(replicates, cut.get("elsewhere", {})).to_csv(snakemake.output.prediction, index=False)
