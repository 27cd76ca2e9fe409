# Reads <results>/checkpoints/ and <results>/datasets/. Writes <results>/sharpness/{protocol}/{pool}{setting}/{measure}/.


rule measure:
    """Measure {wildcards.measure} of {wildcards.pool}{wildcards.setting} at rho {wildcards.rho}, seeds {wildcards.seeds}."""
    input:
        dataset=lambda wildcards: f"<results>/datasets/{PLAN.pool(**wildcards)['dataset']}.safetensors",
        checkpoint="<results>/checkpoints/{protocol}/{pool}{setting}/seeds-{seeds}.safetensors",
        initial=asked("initial", "<results>/checkpoints/{protocol}/{pool}{setting}/seeds-{seeds}.initial.safetensors"),
        test_losses=asked(
            "test_losses", "<results>/checkpoints/{protocol}/{pool}{setting}/seeds-{seeds}.test_losses.safetensors"
        ),
    output:
        "<results>/sharpness/{protocol}/{pool}{setting}/{measure}/rho-{rho}/seeds-{seeds}.parquet",
    log:
        "<logs>/measure/{protocol}/{pool}{setting}/{measure}/rho-{rho}/seeds-{seeds}.log",
    benchmark:
        "<results>/benchmarks/measure/{protocol}/{pool}{setting}/{measure}/rho-{rho}/seeds-{seeds}.tsv"
    conda:
        "../../envs/pipeline.yaml"
    resources:
        gpu=GPU,
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,  # minutes
    params:
        pool=lambda wildcards: PLAN.pool(**wildcards),
        way=lambda wildcards: PLAN.way(**wildcards),
        code=lambda wildcards: PLAN.code("measure", **wildcards),
    script:
        "../scripts/measure.py"
