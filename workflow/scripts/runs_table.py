from adaptive_sharpness import checksums, job, tables

job.start(snakemake.log[0])
checksums.verify(snakemake.input)
shards = {
    kind: [{**each, "path": path} for each, path in zip(labels, snakemake.input[kind], strict=True)]
    for kind, labels in snakemake.params.labels.items()
}
tables.runs(**shards).to_parquet(snakemake.output[0], index=False)
checksums.record(snakemake.output)
