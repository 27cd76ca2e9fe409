from adaptive_sharpness import checksums, estimates, job

job.start(snakemake.log[0])
checksums.verify(snakemake.input)
shards = [{**each, "path": path} for each, path in zip(snakemake.params.labels, snakemake.input, strict=True)]
estimates.estimates(shards).to_csv(snakemake.output[0], index=False)
checksums.record(snakemake.output)
