"""All that is said of the association between sharpness and test loss in one pool, but for its significance."""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from adaptive_sharpness import equivalence, reliability
from adaptive_sharpness.correlation import consistency, fisher, kendall, leave_one_out, reason, tau_b, usable
from adaptive_sharpness.partial import partial_tau


def association(
    models: pd.DataFrame, test_losses: pd.DataFrame, reliability_sharpness: float, published: Mapping | None
) -> dict:
    """What is known of a pool, by the names that docs/statistics.md explains.

    Args:
        models: a row a model, with seed, sharpness, test_loss, train_loss, accuracy, base_loss and, where the measure
            takes losses in the ball, max_loss; only those that `correlation.usable` keeps are used.
        test_losses: a row a seed and a column an example.
        reliability_sharpness: of the mean over batches.
        published: with tau and n, None where there is none.

    Returns:
        Values by column.
    """
    used = usable(models)
    sharpness, test_loss = used["sharpness"].to_numpy(), used["test_loss"].to_numpy()
    tau = kendall(sharpness, test_loss)
    return {
        "n": tau.n,
        **_described(used),
        "tau": tau.tau,
        "tau_low": tau.low,
        "tau_high": tau.high,
        "p_value": tau.p_value,
        "published_tau": published["tau"] if published else math.nan,
        **dict(zip(("fisher_low", "fisher_high"), fisher(tau.tau, tau.n), strict=True)),
        **_coupled(used),
        **_trusted(used, test_losses, reliability_sharpness),
        "smallest_detectable_tau": equivalence.smallest_detectable(tau.n),
        "equivalence_p": equivalence.equivalence(tau.tau, tau.n),
        **dict(zip(("loo_low", "loo_high"), leave_one_out(sharpness, test_loss), strict=True)),
        "reason": reason(sharpness=sharpness, test_loss=test_loss),
        "z": consistency(tau.tau, tau.n, published["tau"], published["n"]) if published else math.nan,
        "published_n": published["n"] if published else math.nan,
        "left_out": len(models) - tau.n,
    }


def _described(used: pd.DataFrame) -> dict:
    return {
        "sharpness_mean": used["sharpness"].mean(),
        "sharpness_sd": used["sharpness"].std(),
        "share_negative": (used["sharpness"] < 0).mean(),
        "test_loss_mean": used["test_loss"].mean(),
        "test_loss_sd": used["test_loss"].std(),
    }


def _coupled(used: pd.DataFrame) -> dict:
    """Taus with what sharpness and test loss are made of, and with what else says how well a model does."""
    sharpness, test_loss, train_loss, accuracy, base_loss = (
        used[name].to_numpy(dtype=float) for name in ("sharpness", "test_loss", "train_loss", "accuracy", "base_loss")
    )
    undefined = np.full(len(used), math.nan)
    max_loss = _max_loss(used)
    ratio = max_loss / base_loss if base_loss.all() else undefined  # for all models or for none: all taus are of n
    partial = partial_tau(sharpness, test_loss, train_loss)
    return {
        "partial_tau": partial.tau,
        "partial_tau_low": partial.low,
        "partial_tau_high": partial.high,
        "partial_tau_gaussian": partial.gaussian,
        "partial_tau_gaussian_low": partial.gaussian_low,
        "partial_tau_gaussian_high": partial.gaussian_high,
        "tau_max_loss": tau_b(test_loss, max_loss),
        "tau_base_loss": tau_b(test_loss, base_loss),
        "tau_ratio": tau_b(test_loss, ratio),
        "tau_accuracy": tau_b(sharpness, accuracy),
        "tau_gap": tau_b(sharpness, test_loss - train_loss),
    }


def _max_loss(used: pd.DataFrame) -> np.ndarray:
    """The loss whose rise above base_loss is the sharpness; nan where the measure takes no loss in the ball.

    For a mean over the ball that is not the column max_loss, the highest of the few losses that were drawn.
    """
    has_one = used.reindex(columns=["max_loss"])["max_loss"].notna()
    return (used["base_loss"] + used["sharpness"]).where(has_one).to_numpy(dtype=float)


def _trusted(used: pd.DataFrame, test_losses: pd.DataFrame, reliability_sharpness: float) -> dict:
    losses = test_losses.loc[used["seed"]].to_numpy(dtype=float)
    reliability_test_loss = reliability.reliability(losses)
    return {
        "reliability_sharpness": reliability_sharpness,
        "reliability_test_loss": reliability_test_loss,
        "resolvable_pairs": reliability.resolvable_pairs(losses),
        "noise_ceiling": reliability.noise_ceiling(reliability_sharpness, reliability_test_loss),
    }
