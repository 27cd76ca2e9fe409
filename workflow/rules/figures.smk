# Reads <results>/tables/. Writes <results>/figures/ and <results>/report.html.


rule scatter_figure:
    """Draw test loss against sharpness, a panel an architecture: the report's Figure 1."""
    input:
        runs="<results>/tables/runs.parquet",
        tau="<results>/tables/tau.csv",
    output:
        png="<results>/figures/{protocol}/{measure}/test_loss_vs_sharpness.png",
        svg=report(
            "<results>/figures/{protocol}/{measure}/test_loss_vs_sharpness.svg",
            caption="../report/test_loss_vs_sharpness.rst",
            category="Figures",
        ),
    log:
        "<logs>/scatter_figure/{protocol}/{measure}.log",
    localrule: True
    conda:
        "../../envs/pipeline.yaml"
    params:
        code=code("scatter_figure"),
    script:
        "../scripts/scatter_figure.py"


rule tau_figure:
    """Draw tau against rho with its interval, a panel an architecture."""
    input:
        tau="<results>/tables/tau.csv",
    output:
        png="<results>/figures/{protocol}/{measure}/tau_vs_rho.png",
        svg=report(
            "<results>/figures/{protocol}/{measure}/tau_vs_rho.svg",
            caption="../report/tau_vs_rho.rst",
            category="Figures",
        ),
    log:
        "<logs>/tau_figure/{protocol}/{measure}.log",
    localrule: True
    conda:
        "../../envs/pipeline.yaml"
    params:
        code=code("tau_figure"),
    script:
        "../scripts/tau_figure.py"


rule share_figure:
    """Draw what each measure finds as a share of the best value found, a panel an architecture."""
    input:
        estimates="<results>/tables/estimates.csv",
    output:
        png="<results>/figures/{protocol}/share_of_best.png",
        svg=report(
            "<results>/figures/{protocol}/share_of_best.svg",
            caption="../report/share_of_best.rst",
            category="Figures",
        ),
    log:
        "<logs>/share_figure/{protocol}.log",
    localrule: True
    conda:
        "../../envs/pipeline.yaml"
    params:
        code=code("share_figure"),
    script:
        "../scripts/share_figure.py"


rule trust_figure:
    """Draw the strength of tau beside its noise ceiling, a panel a network and measure."""
    input:
        tau="<results>/tables/tau.csv",
    output:
        png="<results>/figures/{protocol}/trust.png",
        svg=report(
            "<results>/figures/{protocol}/trust.svg",
            caption="../report/trust.rst",
            category="Figures",
        ),
    log:
        "<logs>/trust_figure/{protocol}.log",
    localrule: True
    conda:
        "../../envs/pipeline.yaml"
    params:
        code=code("trust_figure"),
    script:
        "../scripts/trust_figure.py"


rule ladder_figure:
    """Draw tau on every rung of the ladder, a panel a network."""
    input:
        ladder="<results>/tables/ladder.csv",
    output:
        png="<results>/figures/ladder.png",
        svg=report("<results>/figures/ladder.svg", caption="../report/ladder_figure.rst", category="Figures"),
    log:
        "<logs>/ladder_figure.log",
    localrule: True
    conda:
        "../../envs/pipeline.yaml"
    params:
        published=ordered(config.get("published", {})),
        code=code("ladder_figure"),
    script:
        "../scripts/ladder_figure.py"


rule page:
    """Put the tables and the figures on one page that needs no network."""
    input:
        tau="<results>/tables/tau.csv",
        runs="<results>/tables/runs.parquet",
        estimates="<results>/tables/estimates.csv",
        figures=["<results>/figures/{}.svg".format("/".join(each.values())) for each in DRAWN],
        ladder=["<results>/tables/ladder.csv"] if RUNGS else [],
    output:
        "<results>/report.html",
    log:
        "<logs>/page.log",
    localrule: True
    conda:
        "../../envs/pipeline.yaml"
    params:
        labels=DRAWN,
        code=code("page"),
    script:
        "../scripts/page.py"
