# Reads models that were trained elsewhere and <results>/datasets/. Writes <results>/checkpoints/{protocol}/{pool}/.


rule import_models:
    """Import {wildcards.pool}, seeds {wildcards.seeds}."""
    input:
        dataset=lambda wildcards: f"<results>/datasets/{PLAN.pool(**wildcards)['dataset']}.safetensors",
        models=lambda wildcards: [local(path) for path in PLAN.imported.files(**wildcards)],
    output:
        checkpoint="<results>/checkpoints/{protocol}/{pool}/seeds-{seeds}.safetensors",
        table="<results>/checkpoints/{protocol}/{pool}/seeds-{seeds}.csv",
        test_losses="<results>/checkpoints/{protocol}/{pool}/seeds-{seeds}.test_losses.safetensors",
    log:
        "<logs>/import_models/{protocol}/{pool}/seeds-{seeds}.log",
    wildcard_constraints:
        protocol=PLAN.imported.protocols_of(imported=True),
    priority: 1
    conda:
        "../../envs/pipeline.yaml"
    resources:
        gpu=GPU,
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
    params:
        pool=lambda wildcards: PLAN.pool(**wildcards),
        rows=lambda wildcards: PLAN.imported.rows(**wildcards),
        code=lambda wildcards: PLAN.code("import_models", **wildcards),
    script:
        "../scripts/import_models.py"
