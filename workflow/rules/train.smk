# Reads <results>/datasets/{dataset}.safetensors. Writes <results>/checkpoints/{protocol}/{pool}{setting}/.


rule train:
    """Train {wildcards.pool}{wildcards.setting}, seeds {wildcards.seeds}."""
    input:
        dataset=lambda wildcards: f"<results>/datasets/{PLAN.pool(**wildcards)['dataset']}.safetensors",
    output:
        checkpoint="<results>/checkpoints/{protocol}/{pool}{setting}/seeds-{seeds}.safetensors",
        initial="<results>/checkpoints/{protocol}/{pool}{setting}/seeds-{seeds}.initial.safetensors",
        table="<results>/checkpoints/{protocol}/{pool}{setting}/seeds-{seeds}.csv",
        test_losses="<results>/checkpoints/{protocol}/{pool}{setting}/seeds-{seeds}.test_losses.safetensors",
    log:
        "<logs>/train/{protocol}/{pool}{setting}/seeds-{seeds}.log",
    benchmark:
        "<results>/benchmarks/train/{protocol}/{pool}{setting}/seeds-{seeds}.tsv"
    wildcard_constraints:
        protocol=PLAN.imported.protocols_of(imported=False),
    priority: 1  # the longest jobs first, so that none is left over at the end
    conda:
        "../../envs/pipeline.yaml"
    resources:
        gpu=GPU,
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,  # minutes
    params:
        pool=lambda wildcards: PLAN.pool(**wildcards),
        code=lambda wildcards: PLAN.code("train", **wildcards),
    script:
        "../scripts/train.py"
