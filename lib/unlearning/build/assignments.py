"""Assignments: one master each, and from it what students, teachers and the grader get (`unlearning assignment`).

A master is a py:percent file in book/assignments/ (a2_klom.py is "a2"). The tag of a cell says whose it is:

    assignment   minutes, needs (packages of the autograder), chapters to read first; for teachers
    seed         ASSIGNMENT and SEED, rewritten in each student's copy
    given        imports and helpers, the same for everyone
    answer       the student's part; `# BEGIN SOLUTION` … `# END SOLUTION` or a line's `# SOLUTION` is taken out
    public-test  the student runs it: asserts whose messages help
    plot         shows a result; not needed for grading
    written      the student's words (markdown), marked by hand: question="q7" points=4
    rubric       how to mark them; for teachers
    hidden       imports of the hidden tests; for teachers and the grader, like the next two
    hidden-test  one function `test_…(student, reference, seed)`: question="q1" points=1; its docstring names the test
    probe        functions of the hidden tests that must run beside the student's code, which they see as `answers`

A text links the chapter to read as the master sees it, [Title](../chapter.py); a student's copy leads to the published
page. A text that asks for a prediction is followed by a cell to write it in, which nobody marks.

Why not otter-grader? We tried it (7.0.0): hidden tests run in the student's own kernel, from files which that kernel can
read, so a submission can print them, or replace what they compare with; it has no time limit, no limits on memory or
processes, no batch without Docker and no table of results. Isolation therefore had to be written anyway, and once the
student's process only answers questions (`submission`, `sandbox`), a test is a plain function with asserts and nothing
of otter is left to use. Its marks in the code (BEGIN SOLUTION) and Gradescope's zip are kept. No extra environment is
needed: the book's own grades, and nothing of the book has to be installed by a student.
"""

import argparse
import ast
import csv
import hashlib
import io
import json
import re
import zipfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from unlearning.errors import Failed, Refused
from unlearning.files import ROOT, write_whole

TEACHERS = ("assignment", "rubric", "hidden", "hidden-test", "probe")  # never in a student's file
TAGS = (*TEACHERS, "seed", "given", "answer", "public-test", "plot", "written")
# What the autograder's container needs of this package, and what it installs besides an assignment's own needs.
ENGINE = ("__init__.py", "errors.py", "files.py", "build/__init__.py", "build/assignments.py", "build/grading.py",
          "build/sandbox.py", "build/submission.py")  # fmt: skip
ALWAYS = ("numpy", "psutil")


@dataclass(frozen=True)
class Cell:
    """One cell of a master."""

    kind: str  # "markdown" or "code"
    tag: str  # one of TAGS, or "" for a text that everyone reads
    source: str
    question: str = ""  # "q1"; of answers, tests and written parts
    points: float = 0.0  # of a hidden test or a written part


@dataclass(frozen=True)
class Assignment:
    """A master, read."""

    name: str  # "a2"
    title: str  # its first heading
    minutes: int  # that a student needs who has read the chapters
    needs: tuple[str, ...]  # packages that the autograder installs
    chapters: tuple[str, ...]  # to read first
    cells: tuple[Cell, ...]

    def of(self, *tags: str) -> list[Cell]:
        """The cells with one of these tags."""
        return [cell for cell in self.cells if cell.tag in tags]

    def points(self) -> dict[str, float]:
        """Question -> its points, in order; those marked by hand included."""
        found: dict[str, float] = {}
        for cell in self.of("hidden-test", "written"):
            found[cell.question] = found.get(cell.question, 0.0) + cell.points
        return dict(sorted(found.items(), key=lambda item: int(item[0].lstrip("q"))))

    def by_hand(self) -> list[str]:
        """The questions marked by hand."""
        return [cell.question for cell in self.of("written")]


def names(root: Path = ROOT) -> dict[str, Path]:
    """ "a2" -> book/assignments/a2_klom.py, for every master."""
    return {p.stem.split("_")[0]: p for p in sorted((root / "book" / "assignments").glob("*_*.py"))}


def load(name: str, root: Path = ROOT) -> Assignment:
    """The assignment called `name` ("a2"). Refused for another name, Failed for a master that breaks the rules above."""
    known = names(root)
    if name not in known:
        raise Refused(
            f"unknown assignment {name!r}; choose from {', '.join(known) or 'none: no book/assignments here'}"
        )
    import jupytext  # the autograder's container has none and reads `from_json`

    cells = tuple(
        _cell(cell, known[name]) for cell in jupytext.read(known[name], fmt="py:percent").cells
    )
    told = {}
    for cell in cells:
        if cell.tag == "assignment":
            told = {n.targets[0].id: ast.literal_eval(n.value) for n in ast.parse(cell.source).body}
    title = re.search(r"^# (.+)", cells[0].source)
    if set(told) != {"minutes", "needs", "chapters"} or not title:
        raise Failed(
            f"{known[name].name}: give a title first, then a cell `assignment` with minutes, needs and chapters"
        )
    return Assignment(
        name, title[1], told["minutes"], tuple(told["needs"]), tuple(told["chapters"]), cells
    )


def _cell(cell: dict, path: Path) -> Cell:
    tags = cell.metadata.get("tags", [])
    if len(tags) > 1 or not set(tags) <= set(TAGS):
        raise Failed(f"{path.name}: tags {tags}; give a cell one of {', '.join(TAGS)}")
    told = Cell(
        cell.cell_type, "".join(tags), cell.source,
        cell.metadata.get("question", ""), float(cell.metadata.get("points", 0)),
    )  # fmt: skip
    needs_question = told.tag in ("answer", "hidden-test", "written")
    if needs_question and not told.question or (told.kind == "code" and not told.tag):
        raise Failed(f"{path.name}: a cell lacks its tag or its question: {told.source[:60]!r}")
    return told


def to_json(assignment: Assignment) -> str:
    """For the autograder's zip."""
    return json.dumps(asdict(assignment), indent=1, ensure_ascii=False)


def from_json(text: str) -> Assignment:
    """The inverse of `to_json`."""
    told = json.loads(text)
    told["cells"] = tuple(Cell(**cell) for cell in told["cells"])
    return Assignment(**told | {key: tuple(told[key]) for key in ("needs", "chapters")})


def unsolved(source: str, question: str) -> str:
    """An answer cell without its solution: a function that says it is not written yet, a variable that is `...`."""

    def taken_out(found: re.Match) -> str:
        if found[1]:
            return f'{found[1]}raise NotImplementedError("{question} is not answered yet")  # YOUR CODE\n'
        return "# YOUR CODE\n"

    block = re.compile(r"^([ ]*)# BEGIN SOLUTION\n.*?^[ ]*# END SOLUTION[ ]*(?:\n|\Z)", re.M | re.S)
    source = block.sub(taken_out, source)
    value = r"[^\n]*?(?:\n[ )\]}][^\n]*?)*?"  # on one line, or over lines that are indented or close a bracket
    line = re.compile(
        rf"^(\w+) = {value}(?:[ ]{{2}}(# (?!SOLUTION)[^\n]*?))?[ ]{{2}}# SOLUTION$", re.M
    )
    return line.sub(lambda m: f"{m[1]} = ...  {m[2] or '# YOUR ANSWER'}", source).rstrip("\n")


def seed_of(course: str, login: str) -> int:
    """A student's seed: the first eight hexadecimal digits of SHA-256(course + ":" + login)."""
    return int(hashlib.sha256(f"{course}:{login}".encode()).hexdigest()[:8], 16)


def with_seed(source: str, seed: int) -> str:
    """The seed cell with another seed."""
    return re.sub(r"^SEED = \d+", f"SEED = {seed}", source, flags=re.M)


def student(assignment: Assignment, seed: int = 1, repository: str = "") -> list[Cell]:
    """What a student gets: no solutions, no hidden tests, no rubric; a first cell for Colab."""
    cells = []
    for cell in assignment.cells:
        if cell.tag in TEACHERS:
            continue
        source = with_links(cell.source, repository)
        if cell.tag == "answer":
            source = unsolved(source, cell.question)
        elif cell.tag == "written":
            source = source.split("\n\n")[0] + "\n\n*Your words here; leave the line above.*"
        elif cell.tag == "seed":
            source = with_seed(source, seed)
        cells.append(replace(cell, source=source))
    cells.insert(1, _setup(repository))
    text = "\n".join(cell.source for cell in cells)
    leaks = [name for name in (*_hidden_names(assignment), "SOLUTION") if name in text]
    if leaks:
        raise Failed(f"{assignment.name}: would show students {', '.join(leaks)}; mend the master")
    return cells


def with_links(source: str, repository: str = "") -> str:
    """The source with its links to chapters, which in a master lead to the file beside it, as a student can follow them.

    [The question](../question.py) leads to the page that `repository`, an address on GitHub, publishes; without one, or
    elsewhere, words say where the chapter is found.
    """
    site = re.fullmatch(r"https://github\.com/([\w.-]+)/([\w.-]+?)(?:\.git)?/?", repository)

    def told(found: re.Match) -> str:
        title, chapter = found.groups()
        if site:
            return f"[{title}](https://{site[1]}.github.io/{site[2]}/book/{chapter}.html)"
        return f'"{title}" (page {chapter}.html of the book; book/{chapter}.py in its repository)'

    return re.sub(r"\[([^]]+)\]\(\.\./(\w+)\.py\)", told, source)


def _setup(repository: str) -> Cell:
    if repository:
        code = "# In Colab, take the # away: the last cell compares with the book's library. Nothing else needs it.\n"
        return Cell("code", "given", f"{code}# %pip install -q git+{repository}")
    text = "*Needs Python with the packages imported below, in Jupyter or in Colab; nothing else. (The book's repository\n"
    return Cell(
        "markdown",
        "",
        text + "has no public address yet, so there is no line here that installs its library.)*",
    )


def _hidden_names(assignment: Assignment) -> list[str]:
    code = "\n".join(cell.source for cell in assignment.of("hidden-test", "probe"))
    return re.findall(r"^def (\w+)", code, re.M)


def notebook(cells: list[Cell], name: str, seed: int) -> bytes:
    """The cells as an .ipynb without outputs, the same bytes each time."""
    made = []
    for at, cell in enumerate(cells):
        tags = {"tags": [cell.tag]} if cell.tag else {}
        extra = {"outputs": [], "execution_count": None} if cell.kind == "code" else {}
        told = {"question": cell.question} if cell.question else {}
        told |= {"points": cell.points} if cell.points else {}
        made.append(
            {
                "cell_type": cell.kind,
                "id": f"{name}-{at}",
                "metadata": tags | told,
                "source": cell.source,
            }
            | extra
        )
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {
        "kernelspec": kernel,
        "language_info": {"name": "python"},
        "unlearning": {"assignment": name, "seed": seed},
    }
    whole = {"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return (json.dumps(whole, indent=1, ensure_ascii=False) + "\n").encode()


def percent(cells: list[Cell]) -> bytes:
    """The cells as a py:percent file."""
    parts = []
    for cell in cells:
        if cell.kind == "markdown":
            text = "\n".join(f"# {line}".rstrip() for line in cell.source.split("\n"))
            parts.append(f"# %% [markdown]\n{text}\n")
        else:  # lines for the notebook become comments, as jupytext writes them
            parts.append("# %%\n" + re.sub(r"^([%!])", r"# \1", cell.source, flags=re.M) + "\n")
    return "\n".join(parts).encode()


def autograder(assignment: Assignment, root: Path = ROOT) -> bytes:
    """Gradescope's zip: this grader, the assignment, and the versions of what it needs. The same bytes each time."""
    package = Path(__file__).resolve().parents[1]
    files = {f"unlearning/{name}": (package / name).read_bytes() for name in ENGINE}
    files["assignment.json"] = to_json(assignment).encode()
    wanted = (*ALWAYS, *assignment.needs)
    pins = (root / "requirements.txt").read_text().splitlines()
    files["requirements.txt"] = "".join(
        f"{pin.split(' ')[0]}\n" for pin in pins if pin.split("==")[0] in wanted
    ).encode()
    files["setup.sh"] = (
        b"#!/usr/bin/env bash\nset -e\npython3 -m pip install -q -r /autograder/source/requirements.txt\n"
    )
    files["run_autograder"] = (
        b"#!/usr/bin/env bash\n# What is root's alone cannot be read by the submission, which runs as another user.\n"
        b"chmod -R go-rwx /autograder/source /autograder/submission /autograder/results\ncd /autograder\n"
        b"PYTHONPATH=/autograder/source python3 -m unlearning.build.grading\n"
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as pack:
        for name, data in sorted(files.items()):
            entry = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            executable = name in ("setup.sh", "run_autograder")
            entry.external_attr = (0o100755 if executable else 0o100644) << 16
            pack.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def read_roster(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file with a column `login`, each login once. Refused otherwise."""
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Refused(f"cannot read the roster {path}: {error}") from None
    logins = [(row.get("login") or "").strip() for row in rows]
    if not rows or not all(logins):
        raise Refused(f"{path}: give a CSV file with a column `login` and one student a line")
    if unfit := sorted(
        {
            n
            for n in logins
            if not re.fullmatch(r"[\w.@+-]+", n) or n.startswith(".") or logins.count(n) > 1
        }
    ):
        raise Refused(
            f"{path}: {', '.join(unfit)}: each login once, of letters, digits and . _ @ + - (not first a dot)"
        )
    return [row | {"login": login} for row, login in zip(rows, logins, strict=True)]


def make(
    assignment: Assignment, out: Path, roster: list[dict] | None, course: str, root: Path = ROOT
) -> list[Path]:
    """Writes all versions below `out`, and with a roster one copy a student and seeds.csv. Returns the files.

    Refused if a file there is not as this command wrote it: somebody worked in it.
    """
    import yaml

    repository = (yaml.safe_load((root / "_config.yml").read_text()).get("repository") or {}).get(
        "url"
    ) or ""
    name, cells = assignment.name, student(assignment, repository=repository)
    files = {
        f"student/{name}.ipynb": notebook(cells, name, 1),
        f"student/{name}.py": percent(cells),
        f"instructor/{name}.ipynb": notebook(list(assignment.cells), name, 1),
        f"instructor/{name}.py": names(root)[name].read_bytes(),
        f"{name}-autograder.zip": autograder(assignment, root),
    }
    seeds = io.StringIO()
    table = csv.writer(seeds, lineterminator="\n")
    table.writerow(["login", "seed"])
    for row in roster or []:
        seed = seed_of(course, row["login"])
        table.writerow([row["login"], seed])
        copy = student(assignment, seed, repository)
        files[f"copies/{row['login']}/{name}.ipynb"] = notebook(copy, name, seed)
    if roster:
        files["seeds.csv"] = seeds.getvalue().encode()
    return _write(out, files)


def _write(out: Path, files: dict[str, bytes]) -> list[Path]:
    """Writes files and, in made.json, their digests, by which a later call knows what was changed by hand."""
    ledger = out / "made.json"
    made = json.loads(ledger.read_text()) if ledger.exists() else {}
    for name, data in files.items():
        there = (out / name).read_bytes() if (out / name).exists() else data
        if there != data and hashlib.sha256(there).hexdigest() != made.get(name):
            raise Refused(
                f"{out / name} was changed since it was made: move it, or choose another --out (nothing is overwritten)"
            )
    for name, data in files.items():
        write_whole(out / name, lambda file, data=data: file.write(data))
        made[name] = hashlib.sha256(data).hexdigest()
    write_whole(ledger, lambda file: file.write(json.dumps(made, indent=1).encode()))
    return [out / name for name in files]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `unlearning assignment`."""
    add = parser.add_argument
    add("name", nargs="?", help="a1, a2, …; without it: what there is")
    add(
        "--roster",
        metavar="CSV",
        help="a column `login`: one copy a student, each with a seed of its own",
    )
    add(
        "--course",
        default="unlearning",
        help="a word that enters the seeds: another course, other seeds",
    )
    add("--out", metavar="DIR", help="default: assignments/NAME")


def main(arguments: argparse.Namespace) -> int:
    """Exit status 0; refusals and failures are raised."""
    if not arguments.name:
        for name in names():
            told = load(name)
            print(
                f"{name}: {told.title} · {told.minutes} min · {sum(told.points().values()):g} points"
            )
        return 0
    assignment = load(arguments.name)
    roster = read_roster(Path(arguments.roster)) if arguments.roster else None
    out = Path(arguments.out or Path("assignments") / assignment.name)
    files = make(assignment, out, roster, arguments.course)
    for path in files[:5]:
        print(path)
    if roster:
        print(
            f"{out}/copies: {len(roster)} copies, one a student; {out}/seeds.csv: keep it for grading"
        )
    return 0
