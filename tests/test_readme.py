"""The README's words that could go stale: the verdicts it lists, the commands it names, its length."""

import re
import subprocess
import sys

from unlearning.files import ROOT
from unlearning.page import ledger
from unlearning.page.claims import CLAIMS

README = (ROOT / "README.md").read_text()


def test_the_listed_verdicts_are_the_books(book):
    facts = ledger.collect()
    found = {claim.id: ledger.verdict_of(claim.id, facts) for claim in CLAIMS}
    listed = README.split("<!-- verdicts")[1].split("<!-- end")[0]
    rows = re.findall(r"^\| (C\d+) \|.*\| ([a-z ]+) \| ([a-z ]+) \| ([a-z]*) \|$", listed, re.M)
    assert {claim: ledger.Verdict(*rest) for claim, *rest in rows} == found


def test_the_commands_exist():
    for target in re.findall(r"^\s+make (\w+)", README, re.M):
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.M), target
    lines = re.findall(r"^\s+\.venv/bin/unlearning (params .*?)\s+#", README, re.M)
    for line in lines:
        ran = subprocess.run(
            [sys.executable, "-m", "unlearning", *line.split()], capture_output=True, cwd=ROOT
        )
        assert ran.returncode == 0
    assert lines


def test_one_screen():
    unfolded = re.sub(r"<details>.*?</details>", "", README, flags=re.DOTALL)
    assert len(unfolded.splitlines()) <= 75
    for path in re.findall(r"\]\(([^)h][^)]*)\)", README):
        assert (ROOT / path).exists(), path
    assert len((ROOT / "CONTRIBUTING.md").read_text().splitlines()) <= 100
