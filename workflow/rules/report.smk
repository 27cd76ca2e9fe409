# Reads <results>/tables/. Writes <results>/figures/ and <results>/report.html.


rule report:
    """Draw all figures, and put them and the tables on one page that needs no network."""
    input:
        runs="<results>/tables/runs.parquet",
        tau="<results>/tables/tau.csv",
        estimates="<results>/tables/estimates.csv",
        ladder=["<results>/tables/ladder.csv"] if PLAN.ladder() else [],
    output:
        figures=report(
            directory("<results>/figures"),
            patterns=["{figure}.svg"],
            caption="../report/figure.rst",
            category="Figures",
        ),
        page="<results>/report.html",
    log:
        "<logs>/report.log",
    localrule: True
    conda:
        "../../envs/pipeline.yaml"
    params:
        config=PLAN.config(),
        part=PLAN.part,
        code=PLAN.code("report"),
    script:
        "../scripts/report.py"
