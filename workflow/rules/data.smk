# Reads the sources in config. Writes data/raw/{dataset}/ and <results>/datasets/{dataset}.safetensors.


rule fetch:
    """Fetch {wildcards.dataset} from the first source that has it unchanged."""
    output:
        "data/raw/{dataset}/SHA256SUMS",
    log:
        "<logs>/fetch/{dataset}.log",
    priority: 2  # before all else: the longest jobs wait for the largest data set
    localrule: True
    conda:
        "../../envs/pipeline.yaml"
    params:
        sha256=lambda wildcards: PLAN.hashes(**wildcards),
    script:
        "../scripts/fetch.py"


rule prepare:
    """Parse {wildcards.dataset} into tensors, after a check of its hashes."""
    input:
        lambda wildcards: f"data/raw/{PLAN.raw(**wildcards)}/SHA256SUMS",
    output:
        "<results>/datasets/{dataset}.safetensors",
    log:
        "<logs>/prepare/{dataset}.log",
    priority: 2
    conda:
        "../../envs/pipeline.yaml"
    params:
        block=lambda wildcards: PLAN.preparation(**wildcards),
        code=lambda wildcards: PLAN.code("prepare", **wildcards),
    script:
        "../scripts/prepare.py"
