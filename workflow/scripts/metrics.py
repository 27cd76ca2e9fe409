import json
from pathlib import Path

import pandas as pd

from adaptive_sharpness import checksums, job, metrics

job.start(snakemake.log[0])
checksums.verify(snakemake.input)
found = metrics.metrics(pd.read_csv(snakemake.input[0]))
Path(snakemake.output[0]).write_text(json.dumps(found, indent=2) + "\n")
checksums.record(snakemake.output)
