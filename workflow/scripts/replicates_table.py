import pandas as pd

from adaptive_sharpness.study.running import job
from adaptive_sharpness.study.tables.part import marked
from adaptive_sharpness.study.tables.replicates import prediction_table, replicates_table

with job.running(snakemake):
    cut, part = snakemake.params.block, snakemake.params.part
    runs = pd.read_parquet(snakemake.input[0], filters=[(key, "==", cut[key]) for key in ("protocol", "measure")])
    marked(table := replicates_table(runs, cut["size"]), part).to_csv(snakemake.output.replicates, index=False)
    marked(prediction_table(table, cut.get("elsewhere", {})), part).to_csv(snakemake.output.prediction, index=False)
