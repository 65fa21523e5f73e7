"""Stopping rules that need no oracle: could one have known when to stop gradient ascent?

Our question, not the paper's claim: nothing here enters a verdict. Accuracies only, which anyone can measure.
"""

import pandas as pd

RULES = {  # rule: what it says
    "level": "accuracy on F has fallen to the validation accuracy of the same checkpoint",
    "budget": "the last checkpoint before validation accuracy has lost the budget",
    "Lemma 1": "accuracy on F has fallen to the validation accuracy of the pretrained models",
}


def stop(path: pd.DataFrame, start: pd.Series, rule: str, budget: float) -> pd.Series | None:
    """The row at which a rule stops one trajectory, or None if it never does.

    path: rows of one step size by increasing epoch, with forget_accuracy and val_accuracy (fractions); start: the row
    of the pretrained models; budget: validation accuracy that "budget" gives away (fraction). Raises ValueError for an
    unknown rule.
    """
    if rule not in RULES:
        raise ValueError(f"unknown rule {rule!r}: choose from {', '.join(RULES)}")
    if rule == "budget":
        lost = path.val_accuracy <= start.val_accuracy - budget
        kept = path[lost.cumsum() == 0]  # once lost, later checkpoints do not count
        return kept.iloc[-1] if len(kept) else None
    level = start.val_accuracy if rule == "Lemma 1" else path.val_accuracy
    reached = path[path.forget_accuracy <= level]
    return reached.iloc[0] if len(reached) else None


def choose(
    runs: pd.DataFrame, start: pd.Series, rule: str, budget: float
) -> tuple[dict[float, pd.Series | None], pd.Series | None]:
    """({step size: row where the rule stops it}, the row that a reader without oracles would then take).

    runs: gradient ascent on one forget set. Of the stopped step sizes the one with the highest validation accuracy is
    taken; by "budget", which spends the same validation accuracy everywhere, the one with the lowest accuracy on F.
    """
    paths = runs.sort_values("epoch").groupby("lr")
    stops = {rate: stop(path, start, rule, budget) for rate, path in paths}
    fired = pd.DataFrame([row for row in stops.values() if row is not None])
    if fired.empty:
        return stops, None
    best = fired.forget_accuracy.idxmin() if rule == "budget" else fired.val_accuracy.idxmax()
    return stops, fired.loc[best]
