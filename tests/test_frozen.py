"""The numbers do not change when the house is rebuilt: one small experiment, hashed, before and after.

Floating-point results depend on the processor and on torch's build, so a hash is kept for each kind of machine that has
been seen; on another kind the test is skipped and says which line to add (from a commit whose numbers are trusted).
"""

import hashlib
import json
import platform
from pathlib import Path

import pytest
import torch

from test_plan import margins_of
from unlearning import klom
from unlearning.experiment import presets, results, runner

KNOWN = json.loads((Path(__file__).parent / "frozen.json").read_text())


def machine() -> str:
    """Kind of processor and of torch: what decides the last bits."""
    words = (
        line.split(":")[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith(("cpu family", "model\t"))
    )
    return " ".join(
        [
            platform.machine(),
            *list(words)[:2],
            torch.backends.cpu.get_cpu_capability(),
            torch.__version__,
        ]
    )


def scores_of(records: list[dict]) -> dict[str, dict]:
    """KLoM with everything it is read against, and the accuracies, of every record."""
    kept = (*klom.DIRECTIONS, "accuracy", "oracle_accuracy")
    return {
        results.identity(r): {g: {k: found[k] for k in kept} for g, found in r["groups"].items()}
        for r in records
    }


@pytest.mark.skipif(
    not Path("/proc/cpuinfo").exists(), reason="the kind of processor is read from /proc/cpuinfo"
)
def test_margins_and_records_of_the_smoke_preset_are_frozen(tmp_path: Path):
    records = runner.run(presets.SMOKE, tmp_path, workers=1, report=None)
    margins = hashlib.sha256(
        b"".join(k.encode() + v for k, v in margins_of(tmp_path).items())
    ).hexdigest()
    scores = hashlib.sha256(json.dumps(scores_of(records), sort_keys=True).encode()).hexdigest()
    found = {"margins": margins, "records": scores}
    if machine() not in KNOWN:
        pytest.skip(
            f"no frozen numbers for this kind of machine; if they are trusted, add to frozen.json: "
            f"{json.dumps({machine(): found})}"
        )
    assert found == KNOWN[machine()]
