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
LISTS = {  # one element at either end of the range, or both ends; every further element repeats the work
    "random_sets": ("sizes",),
    "principal_components": ("ridges", "ratios", "rates"),
    "predicting_damage": ("sizes", "ridges"),
}
SWEPT = {
    "toy_minima": ("forgotten", "rate", "ridge", "step"),
    "random_sets": ("train_size", "delta", "ridge", "ascent_size", "ascent_rate"),
    "principal_components": ("ratio", "ridge", "forget", "near"),
    "first_step": ("fraction", "ascent", "ridge"),
    "predicting_damage": ("ridge", "rate"),
    "question": ("rate", "ridge", "forget"),
}
CORNERS = ("low", "high", "low, high, …", "high, low, …")


@pytest.mark.parametrize("name", SWEPT)
def test_every_parameter_is_swept_or_a_named_cost(name):
    known = {p.name for p in chapters.parameters(chapters.path_of(name))}
    costs = {"seed"} | set(SMALL[name])
    assert known - costs == set(SWEPT[name]) | set(LISTS.get(name, ()))


@pytest.mark.slow
@pytest.mark.parametrize("corner", CORNERS)
@pytest.mark.parametrize("name", SWEPT)
def test_a_page_runs_at_the_corners_of_its_ranges(name, corner, tmp_path):
    source = chapters.path_of(name)
    known, values = (
        {p.name: p for p in chapters.parameters(source)},
        dict(SMALL[name]),
    )
    pattern = [word for word in corner.split(", ") if word != "…"]
    for place, parameter in enumerate(SWEPT[name]):
        values[parameter] = _end(known[parameter], pattern[place % len(pattern)])
    for parameter in LISTS.get(name, ()):
        values[parameter] = [_end(known[parameter], end) for end in pattern]
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


def _end(parameter, end):
    """One end of a parameter's range ("low" or "high"), in the type of the parameter or of its elements."""
    value = getattr(parameter, end)
    return int(value) if parameter.type in ("int", "list[int]") else value
