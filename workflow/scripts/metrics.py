import json
from pathlib import Path

import pandas as pd

from adaptive_sharpness.study.running import job
from adaptive_sharpness.study.tables.answers import metrics

with job.running(snakemake):
    Path(snakemake.output[0]).write_text(json.dumps(metrics(pd.read_csv(snakemake.input[0])), indent=2) + "\n")
