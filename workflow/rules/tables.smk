# Reads <results>/checkpoints/ (csv, test losses) and <results>/sharpness/. Writes <results>/tables/.


rule runs_table:
    """Collect a row for every model, measurement and quantity."""
    input:
        training=[
            "<results>/checkpoints/{protocol}/{pool}{setting}/seeds-{seeds}.csv".format(**each) for each in PLAN.shards
        ],
        sharpness=[
            "<results>/sharpness/{protocol}/{pool}{setting}/{measure}/rho-{rho}/seeds-{seeds}.parquet".format(**each)
            for each in PLAN.measured
        ],
    output:
        "<results>/tables/runs.parquet",
    log:
        "<logs>/runs_table.log",
    localrule: True
    conda:
        "../../envs/pipeline.yaml"
    params:
        order=PLAN.order(),
        part=PLAN.part,
        code=PLAN.code("runs_table"),
    script:
        "../scripts/runs_table.py"


rule tau_table:
    """Compute Kendall's tau between each quantity and test loss, and how far it can be trusted."""
    input:
        runs="<results>/tables/runs.parquet",
        estimates="<results>/tables/estimates.csv",
        test_losses=[
            "<results>/checkpoints/{protocol}/{pool}{setting}/seeds-{seeds}.test_losses.safetensors".format(**each)
            for each in PLAN.shards
        ],
    output:
        report("<results>/tables/tau.csv", caption="../report/tau.rst", category="Tables"),
    log:
        "<logs>/tau_table.log",
    localrule: True
    conda:
        "../../envs/pipeline.yaml"
    params:
        published=PLAN.published(),
        part=PLAN.part,
        code=PLAN.code("tau_table"),
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
        balls=PLAN.balls(),
        order=PLAN.order(),
        part=PLAN.part,
        code=PLAN.code("estimates_table"),
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
        rungs=PLAN.ladder(),
        part=PLAN.part,
        code=PLAN.code("ladder_table"),
    script:
        "../scripts/ladder_table.py"


rule replicates_table:
    """Cut each pool into replicates, and see where a pool made elsewhere lies among them."""
    input:
        "<results>/tables/runs.parquet",
    output:
        replicates="<results>/tables/replicates.csv",
        prediction=report("<results>/tables/prediction.csv", caption="../report/prediction.rst", category="Tables"),
    log:
        "<logs>/replicates_table.log",
    localrule: True
    conda:
        "../../envs/pipeline.yaml"
    params:
        block=PLAN.replicates(),
        part=PLAN.part,
        code=PLAN.code("replicates_table"),
    script:
        "../scripts/replicates_table.py"


rule metrics:
    """Choose a tau for each pool and measure: the study in few numbers, for DVC to compare."""
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
        code=PLAN.code("metrics"),
    script:
        "../scripts/metrics.py"
