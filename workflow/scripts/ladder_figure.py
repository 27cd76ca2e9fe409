import pandas as pd

from adaptive_sharpness import checksums, figures, job

job.start(snakemake.log[0])
checksums.verify(snakemake.input)
published = {
    architecture: entry["tau"]
    for of_measure in snakemake.params.get("published", {}).values()
    for architecture, entry in of_measure.items()
}
figures.save(figures.ladder(pd.read_csv(snakemake.input.ladder), published), **snakemake.output)
checksums.record(snakemake.output)
