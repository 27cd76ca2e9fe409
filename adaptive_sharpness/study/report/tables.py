"""What a figure is drawn from."""

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Tables:
    """The tables of a study, and what is published beside it.

    Args:
        runs: a row a model, measurement and quantity: what `runs_table` returns.
        tau: what `tau_table` returns.
        estimates: what `estimates_table` returns.
        ladder: a row a rung, where the study has a ladder.
    """

    runs: pd.DataFrame
    tau: pd.DataFrame
    estimates: pd.DataFrame
    ladder: pd.DataFrame | None = None

    def headline(self) -> "Tables":
        """Return the same tables with the rows of headline quantities alone.

        Example:
            >>> rows = pd.DataFrame({"quantity": ["lambda_max", "trace"], "headline": [True, False], "rho": 0.1})
            >>> rows = rows.assign(protocol="report", pool="gat", measure="hessian")
            >>> tables = Tables(runs=rows, tau=rows, estimates=rows.drop(columns="headline"))
            >>> tables.headline().estimates["quantity"].tolist()
            ['lambda_max']
        """
        keys = ["protocol", "pool", "measure", "rho", "quantity"]
        known = self.tau.loc[self.tau["headline"], keys]
        estimates = self.estimates.merge(known, on=keys)
        return Tables(self.runs[self.runs["headline"]], self.tau[self.tau["headline"]], estimates, self.ladder)

    def measures(self) -> list[tuple[str, str]]:
        """Return each protocol and measure of which there is a figure: of a study with a ladder, which has many pools
        and its own figure, those with a published tau alone.

        Example:
            >>> tau = pd.DataFrame({"protocol": ["report"] * 3, "measure": ["hessian", "hessian", "worst_case"]})
            >>> Tables(runs=tau, tau=tau, estimates=tau).measures()
            [('report', 'hessian'), ('report', 'worst_case')]
        """
        shown = self.tau if self.ladder is None else self.tau[self.tau["published_tau"].notna()]
        return list(dict.fromkeys(zip(shown["protocol"], shown["measure"], strict=True)))
