"""Parameters of chapters: what is read from a cell, what a person may type, and what is refused before anything runs."""

import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from unlearning.build import chapters
from unlearning.build.chapters import overrides, parameters, path_of
from unlearning.build.values import Parameter, coerce, read_values
from unlearning.errors import Refused

HEADER = "# ---\n# jupyter:\n#   kernelspec:\n#     display_name: Python 3\n#     language: python\n#     name: python3\n# ---\n\n# %% [markdown]\n# # T\n\n"


def chapter(tmp_path, cell: str):
    path = tmp_path / "toy.py"
    path.write_text(HEADER + '# %% tags=["parameters"]\n' + cell + "\n\n# %%\nprint(1)\n")
    return path


GOOD = """lam: float = 0.01  # ridge coefficient (dimensionless) [1e-6, 10]
steps: int = 20  # number of steps (steps) [1, 1000]
alphas: list[float] = [0.1, 0.5]  # fractions (dimensionless) [0, 1]
side: str = "left"  # which side {left, right}
fast: bool = False  # take the short way
note: str = "a = b"  # printed under the figure"""


def test_what_is_read_from_the_cell(tmp_path):
    found = {p.name: p for p in parameters(chapter(tmp_path, GOOD))}
    assert list(found) == ["lam", "steps", "alphas", "side", "fast", "note"]
    assert found["lam"] == Parameter(
        "lam", "float", 0.01, "ridge coefficient (dimensionless)", 1e-6, 10.0, ()
    )
    assert (
        found["side"].choices == ("left", "right") and found["side"].allowed == "one of left, right"
    )
    assert found["note"].default == "a = b"
    assert found["alphas"].allowed == "0 to 1 each"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("lam", "1e-3", 1e-3),
        ("lam", "3", 3.0),
        ("lam", 2, 2.0),
        ("steps", "1e2", 100),
        ("steps", "007", 7),
        ("steps", 30, 30),
        ("fast", "true", True),
        ("fast", "Yes", True),
        ("alphas", "[0.2, 1e-1]", [0.2, 0.1]),
        ("alphas", "0.2,1", [0.2, 1.0]),
        ("alphas", [1, 0], [1.0, 0.0]),
        ("side", "right", "right"),
        ("note", "007", "007"),
        ("note", "true", "true"),
    ],
)
def test_values_mean_what_a_person_expects(tmp_path, name, text, value):
    typed = overrides(chapter(tmp_path, GOOD), {name: text})[name]
    assert typed == value and type(typed) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("lamb", "1", "did you mean 'lam'"),
        ("zzz", "1", "it has: lam, steps"),
        ("lam", "abc", "a finite number"),
        ("lam", "nan", "finite"),
        ("lam", "inf", "finite"),
        ("lam", "11", "1e-06 to 10"),
        ("lam", True, "finite"),
        ("lam", None, "finite"),
        ("steps", "2.5", "whole number"),
        ("steps", "1e400", "whole number"),
        ("steps", "0", "1 to 1000"),
        ("steps", True, "whole number"),
        ("fast", "2", "true or false"),
        ("fast", 1, "true or false"),
        ("alphas", "[]", "a list"),
        ("alphas", "", "a list"),
        ("alphas", "[0.5, 2]", "0 to 1"),
        ("alphas", 0.5, "a list"),
        ("side", "up", "one of left, right"),
        ("note", 7, "a text"),
        ("note", {"a": 1}, "a text"),
    ],
)
def test_values_that_are_refused(tmp_path, name, text, said):
    with pytest.raises(Refused, match=said.replace("[", r"\[")):
        overrides(chapter(tmp_path, GOOD), {name: text})


def test_values_equal_to_the_default_are_not_overrides(tmp_path):
    assert overrides(
        chapter(tmp_path, GOOD), {"lam": "1e-2", "alphas": "0.1, 0.5", "steps": 21}
    ) == {"steps": 21}


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("lam = 0.1  # no type", "write `name: type"),
        ("lam: float = 1 / 3  # computed", "not a literal"),
        ("lam: complex = 1  # what", "type 'complex'"),
        ("lam: float = 0.1", "no comment"),
        ("lam: float = 5.0  # out [0, 1]", "0 to 1"),
        ("lam: int = 'x'  # wrong", "whole number"),
        ("import os", "write `name: type"),
    ],
)
def test_a_parameters_cell_that_breaks_the_rules(tmp_path, cell, said):
    with pytest.raises(Refused, match=said):
        parameters(chapter(tmp_path, cell))


def test_a_chapter_needs_exactly_one_parameters_cell(tmp_path):
    path = tmp_path / "toy.py"
    path.write_text(HEADER + "# %%\nprint(1)\n")
    with pytest.raises(Refused, match="exactly one cell"):
        chapters.read(path)


def test_chapter_names_never_leave_the_book(tmp_path):
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "one.py").write_text("")
    (tmp_path / "secret.py").write_text("")
    for name in ("one", "one.py", "book/one.py", "./book/one"):
        assert path_of(name, tmp_path) == tmp_path / "book" / "one.py"
    for name in ("../secret", "book/../secret.py", "/etc/passwd", "secret", "", ".", "book/"):
        with pytest.raises(Refused, match="unknown chapter"):
            path_of(name, tmp_path)
    with pytest.raises(Refused, match="did you mean 'one'"):
        path_of("onne", tmp_path)
    with pytest.raises(Refused, match="run from a clone"):
        path_of("one", tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- 1\n- 2\n", "holds a list"),
        ("a: 1\na: 2\n", "gives a twice"),
        ("a: [1\n", "cannot read"),
        ("x: !!python/object/apply:os.system ['true']\n", "cannot read"),
    ],
)
def test_yaml_files_that_are_refused(tmp_path, text, said):
    path = tmp_path / "values.yml"
    path.write_text(text)
    with pytest.raises(Refused, match=said):
        read_values(path)


def test_yaml_files(tmp_path):
    path = tmp_path / "values.yml"
    path.write_text("lam: 1e-3\nalphas: [1e-1, 1]\nfast: on\n")
    values = overrides(chapter(tmp_path, GOOD), read_values(path))
    assert values == {"lam": 1e-3, "alphas": [0.1, 1.0], "fast": True}
    path.write_text("")
    assert read_values(path) == {}
    with pytest.raises(Refused, match="cannot read"):
        read_values(tmp_path / "missing.yml")


@given(st.text(max_size=30))
def test_any_text_is_a_value_or_refused(text):
    for kind, default in (
        ("int", 1),
        ("float", 1.0),
        ("bool", True),
        ("str", "a"),
        ("list[float]", [1.0]),
    ):
        try:
            value = coerce(Parameter("p", kind, default, "m", None, None, ()), text)
        except Refused:
            continue
        assert type(value) is type(default)
        if kind == "float":
            assert math.isfinite(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_survive_yaml_and_text(value):
    parameter = Parameter("p", "float", 1.0, "m", None, None, ())
    assert coerce(parameter, repr(value)) == value
    assert coerce(parameter, yaml.safe_load(yaml.safe_dump(value))) == value
