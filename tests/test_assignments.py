"""The assignments: what students get, that the masters are right, and that wrong answers read the right message."""

import ast
import io
import json
import re
import zipfile
from pathlib import Path

import jupytext
import nbformat
import pytest

from unlearning.build import assignments, grading, sandbox
from unlearning.build.sandbox import Limits
from unlearning.errors import Failed, Refused
from unlearning.files import ROOT

NAMES = sorted(assignments.names())
TORCH = ("a3", "a4")  # a submission imports PyTorch: seconds, not tenths
EACH = [pytest.param(n, marks=pytest.mark.slow) if n in TORCH else n for n in NAMES]


@pytest.fixture(scope="module")
def how() -> str:
    return sandbox.best()


def solved(name: str, *changes: tuple[str, str], seed: int = 1) -> list[str]:
    """The master's code cells as a submission, with some texts of its answers replaced."""
    cells = []
    for cell in assignments.load(name).cells:
        if cell.kind == "code" and cell.tag not in assignments.TEACHERS:
            source = assignments.with_seed(cell.source, seed)
            for old, new in changes if cell.tag == "answer" else ():
                source = source.replace(old, new)
            cells.append(source)
    whole = "\n".join(cells)
    for _, new in changes:
        assert new in whole, f"nothing was replaced by {new!r}"
    return cells


def graded(name: str, cells: list[str], how: str, seed: int = 1) -> tuple[dict[str, float], str]:
    """Points lost per question, and all messages; then what was unusual, such as a cell that ran too long."""
    marks, notes = grading.grade(assignments.load(name), cells, seed, Limits(), how)
    lost: dict[str, float] = {}
    for mark in marks:
        if mark.earned < mark.points:
            lost[mark.question] = lost.get(mark.question, 0) + mark.points - mark.earned
    return lost, " | ".join([*(mark.message for mark in marks), *notes])


def test_there_are_four():
    assert NAMES == ["a1", "a2", "a3", "a4"]
    assert all(assignments.load(name).minutes <= 60 for name in NAMES)


@pytest.mark.parametrize("name", EACH)
def test_the_master_has_full_marks(name, how):
    for seed in (1, assignments.seed_of("test", "somebody")):
        lost, messages = graded(name, solved(name, seed=seed), how, seed)
        assert not lost, messages


@pytest.mark.parametrize("name", EACH)
def test_the_untouched_student_version_has_no_points(name, how):
    cells = [c.source for c in assignments.student(assignments.load(name)) if c.kind == "code"]
    assignment = assignments.load(name)
    marks, notes = grading.grade(assignment, cells, 1, Limits(), how)
    assert sum(mark.earned for mark in marks) == 0
    assert {"not answered yet" in mark.message for mark in marks} == {True}, marks
    assert not notes
    by_machine = [p for q, p in assignment.points().items() if q not in assignment.by_hand()]
    assert sum(mark.points for mark in marks) == sum(by_machine)


@pytest.mark.parametrize("name", EACH)
def test_every_cell_of_the_solved_notebook_runs(name, how):
    """Public tests and plots included."""
    with sandbox.Session(Limits(), how) as session:
        for at, source in enumerate(solved(name)):
            session.ask(run=source, name=f"cell {at}")


@pytest.mark.parametrize("name", NAMES)
def test_students_see_neither_solutions_nor_hidden_tests(name):
    assignment = assignments.load(name)
    told = assignments.notebook(assignments.student(assignment), name, 1).decode()
    told += assignments.percent(assignments.student(assignment)).decode()
    for cell in assignment.of("hidden-test", "probe", "rubric", "hidden"):
        for line in cell.source.splitlines():
            if len(line.strip()) > 30:
                assert line.strip() not in told
    assert "SOLUTION" not in told and "unlearning.build" not in told
    for cell in assignment.of("answer"):
        lines = assignments.unsolved(cell.source, cell.question).splitlines()
        gone = [line.strip() for line in cell.source.splitlines() if line not in lines]
        hidden = [line for line in gone if len(line) > 25 and "SOLUTION" not in line]
        assert not [line for line in hidden if line in told], (
            "a line of the solution is still there"
        )
    for cell in assignment.of("written"):
        assert cell.source.split("\n\n")[1] not in told


def test_solutions_are_taken_out():
    code = (
        'def f(x):\n    """doc"""\n    # BEGIN SOLUTION\n    return 1\n    # END SOLUTION\n\n\n'
        "y = f(2)  # SOLUTION\nz = {1: 2}  # a hint  # SOLUTION\nkept = 3"
    )
    assert assignments.unsolved(code, "q1") == (
        'def f(x):\n    """doc"""\n    raise NotImplementedError("q1 is not answered yet")  # YOUR CODE\n\n\n'
        "y = ...  # YOUR ANSWER\nz = ...  # a hint\nkept = 3"
    )


def test_a_master_that_would_leak_is_refused():
    assignment = assignments.load("a1")
    leak = assignments.Cell("markdown", "", "see test_alpha_star")
    whole = assignments.Assignment(
        "a1", "t", 1, (), (), (assignment.cells[0], leak, *assignment.cells[1:])
    )
    with pytest.raises(Failed, match="test_alpha_star"):
        assignments.student(whole)


@pytest.mark.parametrize("name", NAMES)
def test_both_formats_are_valid_and_say_the_same(name, tmp_path: Path):
    cells = assignments.student(assignments.load(name))
    (tmp_path / "x.ipynb").write_bytes(assignments.notebook(cells, name, 1))
    (tmp_path / "x.py").write_bytes(assignments.percent(cells))
    one = nbformat.read(tmp_path / "x.ipynb", 4)
    nbformat.validate(one)
    other = jupytext.read(tmp_path / "x.py", fmt="py:percent")
    assert [c.source.strip() for c in one.cells] == [c.source.strip() for c in other.cells]
    mine = grading.read_submission((tmp_path / "x.py").read_bytes(), ".py")
    ours = [(c.cell_type, c.source.strip()) for c in one.cells if c.source.strip()]
    assert [(kind, source.strip()) for kind, source in mine] == ours
    for cell in one.cells:
        if cell.cell_type == "code":
            ast.parse(cell.source)


@pytest.mark.parametrize("name", NAMES)
def test_chapters_exist_and_lines_fit(name):
    for chapter in assignments.load(name).chapters:
        assert (ROOT / "book" / f"{chapter}.py").exists()
    for line in (
        assignments.percent(assignments.student(assignments.load(name))).decode().splitlines()
    ):
        assert len(line) <= (125 if line.startswith("#") else 101), line


def test_setup_cell_needs_the_address(tmp_path: Path):
    a1 = assignments.load("a1")
    without = assignments.student(a1)[1]
    assert without.kind == "markdown" and "no public address yet" in without.source
    cell = assignments.student(a1, repository="https://example.org/o/n")[1]
    assert cell.kind == "code" and "pip install -q git+https://example.org/o/n" in cell.source


@pytest.mark.parametrize("name", NAMES)
def test_the_chapter_to_read_is_linked(name):
    told = assignments.load(name)
    (chapter,) = told.chapters
    first = assignments.student(told)[0].source
    assert f"(page {chapter}.html of the book; book/{chapter}.py in its repository)" in first
    for address in ("https://github.com/Owner/a.name", "https://github.com/Owner/a.name.git"):
        first = assignments.student(told, repository=address)[0].source
        assert f"](https://Owner.github.io/a.name/book/{chapter}.html)" in first
    assert "](" not in assignments.student(told, repository="https://example.org/o/n")[0].source
    title = (ROOT / "book" / f"{chapter}.py").read_text().split("\n# # ")[1].split("\n")[0]
    link = re.search(r"\[([^]]+)\]\(\.\./", told.cells[0].source)[1]
    assert title.startswith(link), "the link is called as the chapter is"


@pytest.mark.slow
def test_the_model_answer_of_a4_has_its_numbers_right():
    a4 = assignments.load("a4")
    reference, (answer,) = grading.Reference(a4, 1), a4.of("written")
    small, large = reference["damage_small"], reference["damage_large"]
    runs = ("BatchNorm alone", "both"), ("both", "BatchNorm alone", "ascent alone")
    told = [f"{small[run]:.2f}" for run in runs[0]] + [f"{small['ascent alone']:.4f}"]
    told += [f"{large[run]:.2f}" for run in runs[1]]
    assert re.findall(r"\d\.\d+", answer.source) == told


def roster(folder: Path, *logins: str) -> Path:
    path = folder / "roster.csv"
    path.write_text("login,name\n" + "".join(f"{n},{n.title()}\n" for n in logins))
    return path


def test_roster_gives_each_student_a_seed(tmp_path: Path):
    rows = assignments.read_roster(roster(tmp_path, "ann", "bob"))
    assignments.make(assignments.load("a1"), tmp_path / "out", rows, "course")
    seeds = {}
    for login in ("ann", "bob"):
        cells = nbformat.read(tmp_path / "out" / "copies" / login / "a1.ipynb", 4).cells
        code = "\n".join(c.source for c in cells if c.cell_type == "code")
        seeds[login] = int(code.split("SEED = ")[1].split()[0])
    assert seeds["ann"] != seeds["bob"]
    import hashlib

    assert seeds["ann"] == int(hashlib.sha256(b"course:ann").hexdigest()[:8], 16)
    table = (tmp_path / "out" / "seeds.csv").read_text().split()
    assert table == ["login,seed", f"ann,{seeds['ann']}", f"bob,{seeds['bob']}"]
    assert assignments.seed_of("other", "ann") != seeds["ann"]


@pytest.mark.parametrize(
    "text",
    ["", "name\nann\n", "login\nann\nann\n", "login\n../etc\n", "login\n.hidden\n", "login\n\n,\n"],
)
def test_bad_rosters_are_refused(tmp_path: Path, text):
    (tmp_path / "r.csv").write_text(text)
    with pytest.raises(Refused):
        assignments.read_roster(tmp_path / "r.csv")


def test_nothing_is_overwritten(tmp_path: Path):
    a1 = assignments.load("a1")
    files = assignments.make(a1, tmp_path, None, "c")
    first = {path: path.read_bytes() for path in files}
    assert {path: path.read_bytes() for path in assignments.make(a1, tmp_path, None, "c")} == first
    mine = tmp_path / "student" / "a1.ipynb"
    mine.write_text(mine.read_text() + " ")
    kept = mine.read_bytes()
    with pytest.raises(Refused, match="was changed"):
        assignments.make(a1, tmp_path, None, "c")
    assert mine.read_bytes() == kept


@pytest.mark.parametrize("name", NAMES)
def test_gradescope_zip(name, tmp_path: Path):
    files = assignments.make(assignments.load(name), tmp_path, None, "c")
    path = next(path for path in files if path.suffix == ".zip")
    assert path.name == f"{name}-autograder.zip"
    pack = zipfile.ZipFile(io.BytesIO(path.read_bytes()))
    assert {"setup.sh", "run_autograder", "assignment.json"} <= set(pack.namelist())
    for script in ("setup.sh", "run_autograder"):
        assert pack.getinfo(script).external_attr >> 16 & 0o111
    again = assignments.from_json(pack.read("assignment.json").decode())
    assert again == assignments.load(name)
    pins = pack.read("requirements.txt").decode().split()
    assert {pin.split("==")[0] for pin in pins} == {"numpy", "psutil", *again.needs}
    listed = (ROOT / "requirements.txt").read_text()
    assert all(pin in listed for pin in pins)


# --- Wrong answers: (assignment, what is wrong, replacements, points lost per question, words of the message) ---

KLOM_END = "return float(np.sum(p[used] * np.log(p[used] / q[used])))"
GDA_PASSES = "passes = [(-1, forget)] * (epoch <= ascent_epochs) + [(1, retain)]"
WRONG = [
    ("a1", "ascent divided by |R|", [("alpha * r / n_forget\n", "alpha * r / n_retain\n")],
     {"q1": 2}, "mean over F"),
    ("a1", "the real part where there is none", [("float(lambertw(z).real) if z >= -np.exp(-1) else np.nan", "float(lambertw(z).real)")],
     {"q2": 1}, "its real part is no stationary point"),
    ("a1", "nan compared", [("bool(np.isnan(w_da) or abs(", "bool((abs(" ), ("abs(w_d - w_r))", "abs(w_d - w_r)))")],
     {"q4": 1}, "Every comparison with nan is False"),
    ("a1", "W(A), no ridge", [("z = pull / lam", "z = pull")], {"q2": 2}, "the ridge counts"),
    ("a1", "every W0 is a global minimum", [('return "local minimum" if alpha <= last else', 'return "global minimum" if alpha <= last else')],
     {"q3": 2}, "falls without end"),
    ("a1", "Lemma 3's upper end", [("return n_forget**2 / (n_retain * (2 * n_forget + n_retain))", "return n_forget / n_retain")],
     {"q6": 2}, "the upper end of Lemma 3"),
    ("a1", "|D| for |F| + |D|", [("(2 * n_forget + n_retain)", "(n_forget + n_retain)")], {"q6": 2}, "where |F| + |D| belongs"),
    ("a2", "all classes in the sum", [("others[:, points, labels] = -np.inf", "pass")], {"q1": 3}, "the true one included"),
    ("a2", "the runner-up", [("return true - top[..., 0] - np.log(np.exp(others - top).sum(axis=-1))", "return true - top[..., 0]")],
     {"q1": 3}, "distance to the runner-up"),
    ("a2", "overflow", [("top = others.max(axis=-1, keepdims=True)", "top = np.zeros(others.shape[:2] + (1,))")], {"q1": 1}, "exp(1000) overflows"),
    ("a2", "the other direction", [("q, p = histograms(unlearned, oracle, bins)", "p, q = histograms(unlearned, oracle, bins)")],
     {"q3": 3}, "KL(unlearned ‖ oracle)"),
    ("a2", "bins of their own", [("return tuple(np.histogram(x, edges)[0] / len(x) for x in both)", "return tuple(np.histogram(x, bins)[0] / len(x) for x in both)")],
     {"q2": 3}, "must share them"),
    ("a2", "a density for fractions", [("np.histogram(x, edges)[0] / len(x) for", "np.histogram(x, edges, density=True)[0] for")], {"q2": 3}, "Fractions sum to 1"),
    ("a2", "the largest of all logits taken out", [("top = others.max(axis=-1, keepdims=True)", "top = np.max(logits, axis=-1, keepdims=True)")],
     {"q1": 1}, "the largest of the other logits"),
    ("a2", "models for points", [("zip(unlearned.T, oracle.T)", "zip(unlearned, oracle)")], {"q4": 1, "q5": 2}, "Not the 95th percentiles"),
    ("a2", "a mean over the points", [("float(np.percentile([klom(u, o) for u, o in zip(unlearned.T, oracle.T)], 95))", "float(np.mean([klom(u, o) for u, o in zip(unlearned.T, oracle.T)]))")],
     {"q4": 1, "q5": 2}, "the mean over the points"),
    ("a2", "bits", [(KLOM_END, KLOM_END.replace("np.log(", "np.log2("))], {"q3": 3}, "the natural logarithm"),
    ("a2", "not normalised again", [("q = q / q.sum()", "pass")], {"q3": 3}, "divide by its sum again"),
    ("a2", "the mean for P95", [("(unlearned.T, oracle.T)], 95))", "(unlearned.T, oracle.T)], 50))")], {"q4": 1, "q5": 2}, "95th percentile"),
    ("a2", "breaks what it was given", [("broken = unlearned.copy()", "broken = unlearned")], {"q6": 1}, "copy it first"),
    ("a2", "believes the broken model", [('"lowered the score"', '"raised the score"')], {"q6": 2}, "Look at the two numbers"),
    ("a3", "descent", [("(-F.cross_entropy(model(x), y)).backward()", "F.cross_entropy(model(x), y).backward()")], {"q1": 3}, "That is descent"),
    ("a3", "no copy", [("model = copy.deepcopy(model)\n    optimiser = torch.optim.SGD(model.parameters(), lr)\n    for _ in", "optimiser = torch.optim.SGD(model.parameters(), lr)\n    for _ in")],
     {"q1": 1}, "copy it first"),
    ("a3", "gradients pile up", [("optimiser.zero_grad()\n            (-F", "(-F")], {"q1": 2}, "zero_grad"),
    ("a3", "ascent in every epoch", [(GDA_PASSES, "passes = [(-1, forget)] * (ascent_epochs > 0) + [(1, retain)]")], {"q2": 1}, "ascend in every epoch"),
    ("a3", "descent first", [(GDA_PASSES, "passes = [(1, retain)] + [(-1, forget)] * (epoch <= ascent_epochs)")], {"q2": 2}, "You descend first"),
    ("a3", "one step an epoch", [("forget[0].split(batch), forget[1].split(batch)):\n            optimiser.zero_grad()\n            (-F", "[forget[0]], [forget[1]]):\n            optimiser.zero_grad()\n            (-F")],
     {"q1": 2}, "take a step for each batch"),
    ("a3", "momentum", [("optimiser = torch.optim.SGD(model.parameters(), lr)\n    for _", "optimiser = torch.optim.SGD(model.parameters(), lr, momentum=0.9)\n    for _")], {"q1": 2}, "Wrong after several steps"),
    ("a3", "one ascent epoch too many", [(GDA_PASSES, "passes = [(-1, forget)] * (epoch <= ascent_epochs + 1) + [(1, retain)]")], {"q2": 2}, "yours ascends in 3"),
    ("a3", "summed over the points", [("(p.exp() * (p - q)).sum(-1).mean()", "(p.exp() * (p - q)).sum()")], {"q3": 2}, "not their sum"),
    ("a3", "KL the wrong way round", [("(p.exp() * (p - q))", "(q.exp() * (q - p))")], {"q3": 2}, "takes the student's log-probabilities first"),
    ("a3", "the optimiser holds the teacher", [("torch.optim.SGD(student.parameters(), lr)", "torch.optim.SGD(teacher.parameters(), lr)")],
     {"q4": 4}, "the optimiser holds the teacher's parameters"),
    ("a3", "the teacher learns", [("teacher, student = copy.deepcopy(model).eval(), copy.deepcopy(model)", "teacher = student = model")],
     {"q4": 4}, "a teacher that moves measures nothing"),
    ("a3", "the student teaches itself", [("teacher, student = copy.deepcopy(model).eval(), copy.deepcopy(model)", "teacher = student = copy.deepcopy(model)")],
     {"q4": 2}, "Your teacher is the student itself"),
    ("a3", "descends on F", [("step(-distillation(", "step(distillation(")], {"q4": 2}, "must climb the divergence"),
    ("a4", "weights frozen", [("            module.eval()\n", "            module.eval()\n    for p in model.parameters():\n        p.requires_grad_(not frozen)\n"),
                             ("        (-F.cross_entropy(model(forget[0]), forget[1])).backward()", "        if not frozen:\n            (-F.cross_entropy(model(forget[0]), forget[1])).backward()")],
     {"q2": 2}, "is not freezing parameters"),
    ("a4", "train() wakes the layers up", [("        optimiser.zero_grad()\n        (-F", "        model.train()\n        optimiser.zero_grad()\n        (-F")],
     {"q2": 2}, "It wakes them up again"),
    ("a4", "momentum 0", [("            module.eval()\n", "            module.momentum = 0.0\n")], {"q2": 2}, "a third kind of run"),
    ("a4", "descent", [("(-F.cross_entropy(model(forget[0]), forget[1])).backward()", "F.cross_entropy(model(forget[0]), forget[1]).backward()")], {"q2": 3}, "That is descent"),
    ("a4", "before minus after", [("losses[1] - losses[0]", "losses[0] - losses[1]")], {"q3": 2}, "The sign"),
    ("a4", "names for a prediction", [("weights_move = {\n", "weights_move = list({\n"), ('    "neither": False,\n}  # SOLUTION\nstat', '    "neither": False,\n})\nstat')], {"q4": 2}, "another kind than asked for"),
    ("a4", "scored in train mode", [("model = copy.deepcopy(model).eval()", "model = model.train()")], {"q3": 2, "q5": 2}, "your measurement changes"),
    ("a4", "controls swapped", [('"BatchNorm alone": {"lr": 0.0, "frozen": False}', '"BatchNorm alone": {"lr": lr, "frozen": True}'),
                               ('"ascent alone": {"lr": lr, "frozen": True}', '"ascent alone": {"lr": 0.0, "frozen": False}')],
     {"q4": 2}, "the other way round"),
    ("a4", "a share of noise", [('alone / both if both >= noise else float("nan")', "alone / both")], {"q5": 1}, "cannot be shared out"),
    ("a4", "all BatchNorm's fault", [('at_large = "neither alone"', 'at_large = "BatchNorm"')], {"q5": 2}, "Causes need not add up"),
]  # fmt: skip


@pytest.mark.parametrize(
    "name, changes, lost, words",
    [
        pytest.param(
            n, changes, lost, words, id=f"{n}-{told}", marks=[pytest.mark.slow] * (n in TORCH)
        )
        for n, told, changes, lost, words in WRONG
    ],
)
def test_wrong_answers(name, changes, lost, words, how):
    found, messages = graded(name, solved(name, *changes), how)
    assert words in messages, (found, messages)
    assert found == lost, (found, messages)


def test_the_teaching_page_has_the_table_right():
    page = (ROOT / "book" / "teaching.md").read_text()
    for name in NAMES:
        told = assignments.load(name)
        (row,) = [line for line in page.splitlines() if line.startswith(f"| {name} |")]
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert told.title.endswith(cells[1])
        assert [int(cells[-2]), float(cells[-1])] == [told.minutes, sum(told.points().values())]
        assert [f"]({chapter}.ipynb)" in cells[-3] for chapter in told.chapters] == [True]


def test_enough_wrong_answers():
    assert all(sum(wrong[0] == name for wrong in WRONG) >= 4 for name in NAMES)


def test_command(tmp_path: Path, monkeypatch, capsys):
    from unlearning.__main__ import main

    monkeypatch.chdir(tmp_path)
    assert main(["assignment"]) == 0
    assert capsys.readouterr().out.count(" points") == 4
    assert main(["assignment", "a9"]) == 2
    assert "choose from a1, a2, a3, a4" in capsys.readouterr().err
    assert main(["assignment", "a2", "--roster", str(roster(tmp_path, "ann"))]) == 0
    told = json.loads((tmp_path / "assignments/a2/copies/ann/a2.ipynb").read_text())
    assert told["metadata"]["unlearning"]["seed"] == assignments.seed_of("unlearning", "ann")
