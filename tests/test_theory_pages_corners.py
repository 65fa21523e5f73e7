"""Every page of this half of the theory runs at the corners of its documented ranges, apart from the costly counts."""

import subprocess
import sys

import jupytext
import pytest

from unlearning.build import chapters
from unlearning.files import ROOT

SMALL = {  # what a corner is not about: counts that only cost time
    "toy_minima": {"steps": 500, "grid": 41},
    "random_sets": {"repeats": 20, "ascent_steps": 5, "ascent_sets": 2, "sizes": [10, 50]},
    "principal_components": {
        "seeds": 4,
        "ensemble": 10,
        "steps": 5,
        "points": 60,
        "ridges": [0.1, 1.0],
    },
    "first_step": {"cases": 10},
    "predicting_damage": {"images": 200, "sizes": [4, 8], "width": 3, "steps": 3, "ridges": [0.5]},
    "lemmas": {"problems": 20},
}
SWEPT = {
    "toy_minima": ("forgotten", "rate", "ridge", "step"),
    "random_sets": ("train_size", "delta", "ridge", "ascent_size", "ascent_rate"),
    "principal_components": ("ratio", "ridge", "forget", "near"),
    "first_step": ("fraction", "ascent", "ridge"),
    "predicting_damage": ("ridge", "rate"),
    "lemmas": ("problems",),
}
CORNERS = [
    (name, parameter, end)
    for name, swept in SWEPT.items()
    for parameter in swept
    for end in ("low", "high")
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "parameter", "end"), CORNERS)
def test_a_page_runs_at_the_end_of_a_range(name, parameter, end, tmp_path):
    source = chapters.path_of(name)
    known = {p.name: p for p in chapters.parameters(source)}[parameter]
    value = known.low if end == "low" else known.high
    if name == "lemmas" and end == "high":
        pytest.skip("a count that only costs time")
    values = SMALL[name] | {parameter: int(value) if known.type == "int" else value}
    notebook = jupytext.read(source, fmt="py:percent")
    code = []
    for cell in (c for c in notebook.cells if c.cell_type == "code"):
        code.append(cell.source)
        if "parameters" in cell.metadata.get("tags", []):
            code += [f"{key} = {value!r}" for key, value in values.items()]
    script = tmp_path / "page.py"
    script.write_text("\n".join(code))
    done = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
