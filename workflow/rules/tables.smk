# Reads <results>/checkpoints/ (csv, test losses) and <results>/sharpness/. Writes <results>/tables/.


rule runs_table:
    """Collect a row for every model at every rho."""
    input:
        training=[
            "<results>/checkpoints/{protocol}/{architecture}/seeds-{seeds}.csv".format(**each) for each in TRAINED
        ],
        sharpness=[
            "<results>/sharpness/{protocol}/{architecture}/{measure}/rho-{rho}/seeds-{seeds}.parquet".format(**each)
            for each in MEASURED
        ],
    output:
        "<results>/tables/runs.parquet",
    log:
        "<logs>/runs_table.log",
    localrule: True
    conda:
        "../../envs/pipeline.yaml"
    params:
        labels={"training": TRAINED, "sharpness": MEASURED},
        code=code("runs_table"),
    script:
        "../scripts/runs_table.py"


rule tau_table:
    """Compute Kendall's tau between sharpness and test loss at every rho, and how far it can be trusted."""
    input:
        runs="<results>/tables/runs.parquet",
        estimates="<results>/tables/estimates.csv",
        test_losses=[path.replace(".csv", ".test_losses.safetensors") for path in rules.runs_table.input.training],
    output:
        report("<results>/tables/tau.csv", caption="../report/tau.rst", category="Tables"),
    log:
        "<logs>/tau_table.log",
    localrule: True
    conda:
        "../../envs/pipeline.yaml"
    params:
        published=ordered(config.get("published", {})),
        labels=TRAINED,
        code=code("tau_table"),
    script:
        "../scripts/tau_table.py"


rule estimates_table:
    """Compare measures with the best value found, and batches with each other, at every rho."""
    input:
        rules.runs_table.input.sharpness,
    output:
        report("<results>/tables/estimates.csv", caption="../report/estimates.rst", category="Tables"),
    log:
        "<logs>/estimates_table.log",
    localrule: True
    conda:
        "../../envs/pipeline.yaml"
    params:
        labels=MEASURED,
        code=code("estimates_table"),
    script:
        "../scripts/estimates_table.py"


rule ladder_table:
    """Go from one protocol to another, one difference at a time."""
    input:
        "<results>/tables/runs.parquet",
    output:
        report("<results>/tables/ladder.csv", caption="../report/ladder.rst", category="Tables"),
    log:
        "<logs>/ladder_table.log",
    localrule: True
    conda:
        "../../envs/pipeline.yaml"
    params:
        rungs=RUNGS,
        code=code("ladder_table"),
    script:
        "../scripts/ladder_table.py"


rule pools_table:
    """Cut each pool into smaller ones, and see where a pool made elsewhere lies among them."""
    input:
        "<results>/tables/runs.parquet",
    output:
        pools="<results>/tables/pools.csv",
        prediction=report("<results>/tables/prediction.csv", caption="../report/prediction.rst", category="Tables"),
    log:
        "<logs>/pools_table.log",
    localrule: True
    conda:
        "../../envs/pipeline.yaml"
    params:
        cut=ordered(config.get("pools")),
        code=code("pools_table"),
    script:
        "../scripts/pools_table.py"


rule metrics:
    """Choose a tau for each network and measure: the study in few numbers, for DVC to compare."""
    input:
        "<results>/tables/tau.csv",
    output:
        "<results>/tables/metrics.json",
    log:
        "<logs>/metrics.log",
    localrule: True
    conda:
        "../../envs/pipeline.yaml"
    params:
        code=code("metrics"),
    script:
        "../scripts/metrics.py"
