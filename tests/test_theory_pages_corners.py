"""Every page of this half of the theory runs at the corners of its documented ranges, apart from the costly counts."""

import subprocess
import sys

import jupytext
import pytest

from unlearning.build import chapters
from unlearning.files import ROOT

SMALL = {  # what a corner is not about: counts that only cost time
    "toy_minima": {"steps": 500, "grid": 41},
    "random_sets": {"repeats": 20, "ascent_steps": 5, "ascent_sets": 2},
    "principal_components": {
        "seeds": 4,
        "ensemble": 10,
        "steps": 5,
        "points": 60,
    },
    "first_step": {"cases": 10},
    "predicting_damage": {"images": 200, "width": 3, "steps": 3},
    "question": {"splits": 2, "steps": 5},
}
SWEPT = {
    "toy_minima": ("forgotten", "rate", "ridge", "step"),
    "random_sets": ("train_size", "delta", "ridge", "ascent_size", "ascent_rate", "sizes"),
    "principal_components": ("ratio", "ridge", "forget", "near", "ridges", "ratios", "rates"),
    "first_step": ("fraction", "ascent", "ridge"),
    "predicting_damage": ("ridge", "rate", "sizes", "ridges"),
    "question": ("rate", "ridge", "forget"),
}
CORNERS = ("low", "high", "low, high, …", "high, low, …")


@pytest.mark.parametrize("name", SWEPT)
def test_every_parameter_is_swept(name):
    known = {p.name for p in chapters.parameters(chapters.path_of(name))}
    assert known - {"seed"} - set(SMALL[name]) == set(SWEPT[name])


@pytest.mark.slow
@pytest.mark.parametrize("corner", CORNERS)
@pytest.mark.parametrize("name", SWEPT)
def test_a_page_runs_at_the_corners_of_its_ranges(name, corner, tmp_path):
    source = chapters.path_of(name)
    known, values = {p.name: p for p in chapters.parameters(source)}, dict(SMALL[name])
    pattern = [word for word in corner.split(", ") if word != "…"]
    for place, parameter in enumerate(SWEPT[name]):
        value = getattr(known[parameter], pattern[place % len(pattern)])
        value = int(value) if known[parameter].type.endswith(("int", "int]")) else value
        values[parameter] = [value] if known[parameter].type.startswith("list") else value
    assert chapters.overrides(source, values)  # allowed by the page's own rules
    code = []
    for cell in jupytext.read(source, fmt="py:percent").cells:
        if cell.cell_type == "code":
            code.append(cell.source)
            if "parameters" in cell.metadata.get("tags", []):
                code += [f"{key} = {value!r}" for key, value in values.items()]
    script = tmp_path / "page.py"
    script.write_text("\n".join(code))
    command = [sys.executable, "-W", "error::RuntimeWarning", str(script)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
