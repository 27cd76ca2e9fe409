# Reads <results>/datasets/{dataset}.safetensors. Writes <results>/checkpoints/{protocol}/{architecture}/.


rule train:
    """Train {wildcards.architecture}, seeds {wildcards.seeds}."""
    input:
        dataset=dataset,
    output:
        checkpoint="<results>/checkpoints/{protocol}/{architecture}/seeds-{seeds}.safetensors",
        table="<results>/checkpoints/{protocol}/{architecture}/seeds-{seeds}.csv",
        test_losses="<results>/checkpoints/{protocol}/{architecture}/seeds-{seeds}.test_losses.safetensors",
    log:
        "<logs>/train/{protocol}/{architecture}/seeds-{seeds}.log",
    benchmark:
        "<results>/benchmarks/train/{protocol}/{architecture}/seeds-{seeds}.tsv"
    priority: 1  # the longest jobs first, so that none is left over at the end
    conda:
        "../../envs/pipeline.yaml"
    resources:
        gpu=GPU,
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,  # minutes
    params:
        architecture=architecture,
        code=lambda wildcards: code("train", f"architectures/{network(wildcards)}", trainer(wildcards)),
    script:
        "../scripts/train.py"
