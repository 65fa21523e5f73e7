"""Tables of the page on checking the book's claims."""

import pandas as pd


def commands(expected: pd.DataFrame) -> pd.DataFrame:
    """`accounts.expected` for the page: the number with its tolerance in one cell."""

    def number(row: pd.Series) -> str:
        if not isinstance(row.number, str):
            return "the verdict"
        return f"{row.number} = {row.expected:g} ± {row.tolerance:g}"

    return pd.DataFrame({
        "claim": expected.claim,
        "command": expected.command,
        "expected here": expected.verdict,
        "and": [number(row) for _, row in expected.iterrows()],
        "minutes": [f"{minutes:g}" for minutes in expected.minutes],
        "machine": expected.machine,
    })  # fmt: skip


def costs(ledger: pd.DataFrame) -> pd.DataFrame:
    """`accounts.ledger` for the page."""
    return pd.DataFrame({
        "preset": ledger.preset,
        "pretrained (h)": [f"{h:.2f}" for h in ledger.pretrained],
        "oracles (h)": [f"{h:.2f}" for h in ledger.oracles],
        "methods (h)": [f"{h:.2f}" for h in ledger.methods],
        "configurations": ledger.configurations,
        "broken": [f"{n:.0f}" for n in ledger.broken],
    })  # fmt: skip
