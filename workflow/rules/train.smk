# Reads <results>/datasets/{dataset}.safetensors, and models that were trained elsewhere. Writes <results>/checkpoints/{protocol}/{pool}/.


rule train:
    """Train {wildcards.pool}, seeds {wildcards.seeds}."""
    input:
        dataset=lambda wildcards: f"<results>/datasets/{PLAN.pool(**wildcards)['dataset']}.safetensors",
    output:
        checkpoint="<results>/checkpoints/{protocol}/{pool}/seeds-{seeds}.safetensors",
        initial="<results>/checkpoints/{protocol}/{pool}/seeds-{seeds}.initial.safetensors",
        table="<results>/checkpoints/{protocol}/{pool}/seeds-{seeds}.csv",
        test_losses="<results>/checkpoints/{protocol}/{pool}/seeds-{seeds}.test_losses.safetensors",
    wildcard_constraints:
        protocol=PLAN.protocols_of(imported=False),
    log:
        "<logs>/train/{protocol}/{pool}/seeds-{seeds}.log",
    benchmark:
        "<results>/benchmarks/train/{protocol}/{pool}/seeds-{seeds}.tsv"
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


rule import_models:
    """Import {wildcards.pool}, seeds {wildcards.seeds}."""
    input:
        dataset=lambda wildcards: f"<results>/datasets/{PLAN.pool(**wildcards)['dataset']}.safetensors",
        models=lambda wildcards: [local(path) for path in PLAN.model_files(**wildcards)],
    output:
        checkpoint="<results>/checkpoints/{protocol}/{pool}/seeds-{seeds}.safetensors",
        table="<results>/checkpoints/{protocol}/{pool}/seeds-{seeds}.csv",
        test_losses="<results>/checkpoints/{protocol}/{pool}/seeds-{seeds}.test_losses.safetensors",
    wildcard_constraints:
        protocol=PLAN.protocols_of(imported=True),
    log:
        "<logs>/import_models/{protocol}/{pool}/seeds-{seeds}.log",
    priority: 1
    conda:
        "../../envs/pipeline.yaml"
    resources:
        gpu=GPU,
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
    params:
        pool=lambda wildcards: PLAN.pool(**wildcards),
        rows=lambda wildcards: PLAN.rows(**wildcards),
        code=lambda wildcards: PLAN.code("import_models", **wildcards),
    script:
        "../scripts/import_models.py"
