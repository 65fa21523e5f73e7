"""What a stranger needs to hold us to account: expected numbers, deviations with their effect, compute, configurations."""

import numpy as np
import pandas as pd
import torch

from unlearning.files import ROOT
from unlearning.forget_sets import forget_set
from unlearning.klom import klom
from unlearning.page import evidence
from unlearning.page.claims import BY_ID

_TRAJECTORY = ["preset", "forget_set", "method", "lr", "batch", "forget_batch", "ascent_epochs", "batchnorm",
               "momentum", "weight_decay", "shuffle", "models"]  # fmt: skip


def expected() -> pd.DataFrame:
    """results/expected.csv with the command that gives each number: one row per claim.

    Columns: claim; command; verdict (here); number (its name in results.json) with expected value and tolerance, empty
    where only the verdict is held; minutes (the command's, on one core of `machine`).
    """
    frame = pd.read_csv(ROOT / "results" / "expected.csv")
    told = [f"unlearning run {BY_ID[claim].chapter}" for claim in frame.claim]
    frame.insert(1, "command", told)
    return frame


def mismatches(row: pd.Series, record: dict) -> list[str]:
    """What of a run's results.json is not as a row of `expected` says: the number, the claim's verdict."""
    found = []
    if isinstance(row.number, str):
        value = record["numbers"].get(row.number)
        if value is None or not abs(value - row.expected) <= row.tolerance:
            found.append(f"{row.number} is {value}, expected {row.expected:g} ± {row.tolerance:g}")
    verdicts = [fact["verdict"] for fact in record["verdicts"] if fact["id"] == row.claim]
    if verdicts != [row.verdict]:
        found.append(f"{row.claim}: {verdicts}, expected {row.verdict}")
    return found


def configurations(records: list[dict]) -> pd.DataFrame:
    """Every recorded configuration and stopping time, with its scores and the code and machine that made them."""
    frame = evidence.table(records)
    for field in ("commit", "modified", "training_code", "scoring_code", "torch", "device"):
        frame[field] = [record["provenance"][field] for record in records]
    frame["seed"] = [record["seed"] for record in records]
    return frame


def ledger(frame: pd.DataFrame) -> pd.DataFrame:
    """Hours that the recorded models took, for each preset, on the clock of their records (CPU: one core).

    frame: `evidence.table`. Each oracle is counted once, each trajectory at its last epoch, times its models; the
    pretrained models, which all sets of a preset share, once. broken: configurations in which some point's bins collapsed, because models diverged; they stay in the records.
    """
    start, ran = (frame[frame.method.eq("nothing") == nothing] for nothing in (True, False))
    last = ran.sort_values("epoch").drop_duplicates(_TRAJECTORY, keep="last")
    hours = pd.DataFrame({
        "pretrained": (start.models * start.seconds).groupby(start.preset).max() / 3600,
        "oracles": (start.models * start.seconds_retrain).groupby(start.preset).sum() / 3600,
        "methods": (last.models * last.seconds).groupby(last.preset).sum() / 3600,
        "configurations": frame.groupby("preset").size(),
        "broken": (frame[[f"{g}_collapsed" for g in evidence.GROUPS]].max(axis=1) > 0).groupby(frame.preset).sum(),
    })  # fmt: skip
    return hours.fillna(0).rename_axis("preset").reset_index()


def deviations(frame: pd.DataFrame) -> pd.DataFrame:
    """Where paper, public code and this book differ, with the effect that our records or one computation show.

    frame: judged rows of one scale (`evidence.load`). An effect that nothing here measured says so.
    """

    def least(method: str) -> str:
        q = frame[(frame.method == method)].q
        return f"{q.min():.2f}" if len(q) else "no record"

    still = frame[(frame.method == "ga") & (frame.lr == 0) & (frame.batchnorm == "train")]
    drift = (
        f"{(still.retain - still.retain_floor).max():.1f} nats on R" if len(still) else "no record"
    )
    apart, ratio = (
        f"{values.median():.2f}" if len(values) else "no record: "
        for values in (
            (frame.forget_reverse - frame.forget).abs(),
            frame.cost_true / frame.cost_paper,
        )
    )
    generator = torch.Generator().manual_seed(0)
    u, o = (5 + 1.5 * torch.randn(100, 2000, generator=generator) for _ in range(2))
    whole = np.percentile(klom(u, o), 95)
    u[0] = -100
    broken = np.percentile(klom(u, o), 95)
    size = len(forget_set("published-3", 50_000))
    rows = [
        ("SCRUB is trained", "its optimiser holds the teacher's parameters: only BatchNorm moves",
         "both, side by side", f"least share of the gap left: {least('scrub_published')}; repaired: {least('scrub')}"),
        ("GA is a gradient step", "in train mode: each batch of F also moves BatchNorm's statistics",
         "both modes, and step size 0", f"step size 0 alone: {drift}"),
        ("KL(oracle ‖ unlearned)", "older versions the other way round", "the paper's; both recorded",
         f"forget P95 differs by {apart} nats in the median"),
        ("bins over the joint range", "the same", "the same, with a robust form beside it",
         f"one broken model of 100: P95 {whole:.2f} becomes {broken:.2f}"),
        ("500 points in set 3", f"{size:,} points", "as the code", "none here: the set is not scored yet"),
        ("training batch 512", "256", "a parameter, the paper's by default", "not measured"),
        ("a grid of forget batches", "missing from the cache's key: later ones reload the first",
         "every configuration is run", "half of a grid that was never run"),
        ("cost relative to retraining", "validation points count in the denominator", "the true cost beside it",
         f"true cost is {ratio} times the stated one in the median"),
        ("Living-17", "forget points of oracles and unlearned models are misaligned", "not run", "not measured"),
        ("CIFAR-10, 50,000 images, width 64", "the same", "690 images of 16×16, width 8 (laptop)",
         "verdicts here cannot decide"),
    ]  # fmt: skip
    columns = ["the paper says", "the public code does", "we do", "effect"]
    numbered = pd.DataFrame(rows, columns=columns)
    numbered.insert(0, "no.", [str(at) for at in range(1, len(rows) + 1)])
    return numbered
