# Reads <results>/checkpoints/ and <results>/datasets/. Writes <results>/sharpness/{protocol}/{architecture}/{measure}/.


rule measure:
    """Measure {wildcards.measure} of {wildcards.architecture} at rho {wildcards.rho}, seeds {wildcards.seeds}."""
    input:
        dataset=dataset,
        checkpoint="<results>/checkpoints/{protocol}/{architecture}/seeds-{seeds}.safetensors",
    output:
        "<results>/sharpness/{protocol}/{architecture}/{measure}/rho-{rho}/seeds-{seeds}.parquet",
    log:
        "<logs>/measure/{protocol}/{architecture}/{measure}/rho-{rho}/seeds-{seeds}.log",
    benchmark:
        "<results>/benchmarks/measure/{protocol}/{architecture}/{measure}/rho-{rho}/seeds-{seeds}.tsv"
    conda:
        "../../envs/pipeline.yaml"
    resources:
        gpu=GPU,
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,  # minutes
    params:
        blocks=lambda wildcards: {"architecture": architecture(wildcards), "measure": measure(wildcards)},
        code=lambda wildcards: code("measure", f"architectures/{network(wildcards)}", estimator(wildcards)),
    script:
        "../scripts/measure.py"
