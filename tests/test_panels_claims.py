"""Tables of the page on checking claims: what the rows say is what the files say."""

import pandas as pd

from panels import claims as panels
from unlearning.page import accounts


def test_commands_show_number_and_tolerance():
    expected = accounts.expected()
    shown = panels.commands(expected).set_index("claim")
    assert shown.loc["C12", "and"] == "alternating_order_step = 2 ± 0.001"
    assert shown.loc["C5", "and"] == "the verdict" and len(shown) == len(expected)
    assert shown.loc["C9", "command"] == "unlearning run bounds"


def test_costs_are_the_ledgers():
    row = {
        "preset": "x",
        "pretrained": 0.25,
        "oracles": 0.5,
        "methods": 1.25,
        "configurations": 3,
        "broken": 1.0,
    }
    (shown,) = panels.costs(pd.DataFrame([row])).to_dict("records")
    assert shown == {"preset": "x", "pretrained (h)": "0.25", "oracles (h)": "0.50", "methods (h)": "1.25",
                     "configurations": 3, "broken": "1"}  # fmt: skip
