"""The build on a small book of its own: what is executed when, what a failure leaves behind, what a page may show."""

import json
import re
import shutil
import subprocess
import sys

import nbformat
import pytest
import yaml

from unlearning import files
from unlearning.build import render
from unlearning.build.book import build
from unlearning.build.execute import ChapterFailed
from unlearning.build.single import run
from unlearning.errors import Failed, Refused
from unlearning.files import ROOT

HEADER = """# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # {title}
#
# {prose}

# %% tags=["parameters"]
n: int = 2  # how many (pieces) [1, 9]

# %%
{code}
"""


def write(root, name, code, prose="Some prose."):
    (root / "book" / f"{name}.py").write_text(
        HEADER.format(title=name.title(), code=code, prose=prose)
    )


@pytest.fixture
def small(tmp_path):
    """A book of two chapters, the second one reading the verdicts."""
    (tmp_path / "book").mkdir()
    (tmp_path / "results").mkdir()
    shutil.copytree(ROOT / "book" / "_static", tmp_path / "book" / "_static")
    (tmp_path / "book" / "references.bib").write_text("")
    for file in ("_config.yml", "requirements.txt"):
        shutil.copy(ROOT / file, tmp_path)
    toc = {
        "format": "jb-book",
        "root": "book/first",
        "parts": [{"caption": "P", "chapters": [{"file": "book/last"}]}],
    }
    (tmp_path / "_toc.yml").write_text(yaml.safe_dump(toc))
    write(
        tmp_path,
        "first",
        'from unlearning.page import verdicts\nprint("n is", n)\n'
        'verdicts.decide("C1", evidence="seen", checks={"n is small": n < 5}, scale="exact")',
    )
    write(
        tmp_path,
        "last",
        "from pathlib import Path\nfrom unlearning.page import ledger\n"
        f'print([f["verdict"] for f in ledger.collect(Path({str(tmp_path / "_build/executed")!r}))])',
    )
    return tmp_path


def executed(capsys) -> set[str]:
    """The chapters that the last build executed, from its progress report."""
    return {
        line.split(",")[1].split(":")[0].strip()
        for line in capsys.readouterr().out.splitlines()
        if "cell" in line
    }


@pytest.mark.slow
def test_a_build_executes_what_it_must_and_nothing_else(small, capsys):
    page = build(small)
    assert executed(capsys) == {"first", "last"}
    assert page == small / "_build" / "html" / "book" / "first.html"
    assert "n is 2" in page.read_text()
    assert "reproduced" in (page.parent / "last.html").read_text()
    published = small / "_build" / "html" / "_sources" / "book" / "first.ipynb"
    assert "n is 2" in published.read_text(), "the download is the executed notebook"
    assert str(small) not in published.read_text() and "papermill" not in published.read_text()

    made = page.stat().st_ino
    build(small)
    assert executed(capsys) == set(), "nothing changed, nothing runs"
    assert page.stat().st_ino == made, "and nothing is rendered"

    (small / "book" / "references.bib").write_text("@book{b, title={T}}")
    build(small)
    assert executed(capsys) == set() and page.stat().st_ino != made, (
        "a change outside chapters renders them again"
    )

    source = small / "book" / "first.py"
    source.write_text(source.read_text().replace("n < 5", "n < 0"))
    build(small)
    assert executed(capsys) == {"first", "last"}, (
        "the reader of verdicts follows the chapter that decides them"
    )
    assert "disagrees" in (page.parent / "last.html").read_text()

    good = page.read_text()
    source.write_text(source.read_text().replace("print(", "1 / 0; print("))
    with pytest.raises(
        Failed, match=r"chapter first, cell 3 .*ZeroDivisionError: division by zero"
    ):
        build(small)
    assert page.read_text() == good, "the last good book stays"
    assert (small / "_build" / "failed" / "first.ipynb").exists()


@pytest.mark.slow
def test_warnings_are_errors(small):
    write(small, "first", "print(1)", prose="See {ref}`nowhere`.")
    with pytest.raises(Failed, match="nowhere"):
        build(small)
    write(small, "first", "import warnings\nwarnings.warn('old')")
    with pytest.raises(Failed, match="chapter first, cell 3 .*wrote to stderr.*old"):
        build(small)
    assert not (small / "_build" / "html").exists()


def test_two_builds_of_one_folder_cannot_mix(small):
    with files.only_one(small / "_build"):
        with pytest.raises(Refused, match="another build"):
            build(small)


@pytest.mark.slow
def test_a_run_with_other_parameters(small, tmp_path):
    record = run("first", {"n": "7"}, tmp_path / "out", root=small)
    assert record["parameters"] == {"n": 7}
    assert [f["verdict"] for f in record["verdicts"]] == ["disagrees"]
    assert json.loads((tmp_path / "out" / "results.json").read_text()) == record
    page = (tmp_path / "out" / "html" / "book" / "first.html").read_text()
    assert "n is 7" in page
    notebook = nbformat.read(tmp_path / "out" / "first.ipynb", 4)
    injected = [c for c in notebook.cells if "injected-parameters" in c.metadata.get("tags", [])]
    assert len(injected) == 1 and "n = 7" in injected[0].source
    assert 'class="n">n</span>' in page and ">7</span>" in page, "the page shows the injected cell"
    with pytest.raises(Refused, match="not empty"):
        run("first", {}, tmp_path / "out", root=small)
    assert json.loads((tmp_path / "out" / "results.json").read_text()) == record, (
        "and nothing was overwritten"
    )


@pytest.mark.slow
def test_the_numbers_of_a_figure_lie_beside_its_page(small, tmp_path):
    cell = """from unlearning.page import figures

# %% mystnb={"figure": {"name": "first-line", "caption": "A line."}}
with figures.style():
    figure, ax = figures.panel()
    ax.plot([1, 2], [n, 40])
figures.show(figure, alt="a line")"""
    write(small, "first", cell)
    run("first", {"n": "7"}, tmp_path / "out", root=small)
    page = (tmp_path / "out" / "html" / "book" / "first.html").read_text()
    link = re.search(r'<figure.*?class="figure-data"><a href="([^"]+)".*?</figure>', page, re.S)[1]
    rows = (tmp_path / "out" / "html" / "book" / link).read_text().splitlines()
    x, y = (rows[0].split(",").index(name) for name in "xy")
    assert [(row.split(",")[x], row.split(",")[y]) for row in rows[1:]] == [("1", "7"), ("2", "40")]


@pytest.mark.slow
def test_a_failed_run_leaves_no_result(small, tmp_path):
    write(small, "first", "raise KeyError('gone')")
    with pytest.raises(ChapterFailed, match="chapter first, cell 3 .*KeyError"):
        run("first", {}, tmp_path / "out", root=small)
    assert not (tmp_path / "out").exists()
    assert (tmp_path / "out.part" / "first.ipynb").exists()


def test_the_repositorys_address_is_set_in_one_place(small):
    assert "repository" not in render.configuration(
        small
    ) and "launch_buttons" not in render.configuration(small)
    config = small / "_config.yml"
    config.write_text(config.read_text().replace('url: ""', "url: https://example.org/owner/name"))
    found = render.configuration(small)
    assert found["launch_buttons"]["colab_url"].startswith("https://colab")
    assert (
        found["repository"]["branch"] == "gh-pages"
        and found["repository"]["path_to_book"] == "_sources"
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# T")])
    with_setup = render.with_setup(notebook, "https://example.org/owner/name")
    assert "git+https://example.org/owner/name" in with_setup.cells[0].source
    compile(with_setup.cells[0].source, "setup", "exec")
    nbformat.validate(with_setup)


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "unlearning", *arguments], capture_output=True, text=True, cwd=ROOT
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "../README"], "unknown chapter"),
        (["params", "questoin"], "did you mean 'question'"),
        (["run", "question", "-p", "forgett", "3"], "did you mean 'forget'"),
        (["run", "question", "-p", "forget", "many"], "whole number"),
        (["run", "question", "-p", "forget", "100000"], "5 to 600"),
        (["run", "question", "-f", "nowhere.yml"], "cannot read"),
    ],
)
def test_refusals_exit_with_2_before_anything_runs(arguments, said, tmp_path):
    out = ["--out", str(tmp_path / "out")] if arguments[0] == "run" else []
    ran = command(*arguments, *out)
    assert ran.returncode == 2 and said in ran.stderr and len(ran.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_params_lists_name_type_default_meaning():
    ran = command("params", "question")
    assert ran.returncode == 0
    assert (
        "forget: int = 100" in ran.stdout
        and "size of the random forget set" in ran.stdout
        and "5 to 600" in ran.stdout
    )


def test_papermill_runs_the_notebooks_as_they_are(tmp_path):
    ran = command("notebooks", str(tmp_path))
    assert ran.returncode == 0 and (tmp_path / "home.ipynb").exists()
    import papermill

    parameters = papermill.inspect_notebook(str(tmp_path / "question.ipynb"))
    assert (
        parameters["forget"]["inferred_type_name"] == "int"
        and parameters["forget"]["default"] == "100"
    )
