"""The build on a small book of its own: what is executed when, what a failure leaves behind, what a page may show."""

import json
import platform
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
from unlearning.build.edition import Edition, edition
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

    text = page.read_text()
    assert "arxiv.org/abs/2509.26427" in text and "CC BY 4.0" in text and "Version 0" in text
    assert "github" not in text and "colab" not in text, "no address, no buttons"

    config = small / "_config.yml"
    config.write_text(config.read_text().replace('url: ""', "url: https://github.com/owner/name"))
    build(small)
    assert executed(capsys) == set() and page.stat().st_ino != made, (
        "a change outside chapters renders them again"
    )
    text = page.read_text()
    colab = "https://colab.research.google.com/github/owner/name/blob/gh-pages/_sources/book/first.ipynb"
    assert f'href="{colab}"' in text and 'href="https://github.com/owner/name"' in text
    assert "CC BY 4.0" in text and "Version 0" in text, "buttons do not replace the footer"
    assert "git+https://github.com/owner/name" in published.read_text()

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
def test_a_book_from_which_a_chapter_was_cut_is_built(small):
    write(small, "cut", "print(1)")
    write(
        small,
        "first",
        "print(1)",
        prose="See [its page](cut.ipynb), {eq}`cut-eq` and [below](last.ipynb).",
    )
    text = build(small).read_text()
    assert "See its page, <em>cut</em> and" in text and 'href="last.html"' in text


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
    source = small / "book" / "first.py"
    warns = "import sys, matplotlib.pyplot as plt; from myst_nb import glue; from unlearning.page import figures\n"
    warns += "glue('first_sum', n + 0.25, display=False); print('mind the gap', file=sys.stderr)\n"
    warns += """
# %% mystnb={"figure": {"caption": "Up to {glue:text}`first_sum:.1f`.", "name": "first-line"}}
figures.show(figures.panel()[0], alt="an empty panel")

# %% [markdown]
# A sentence before. The sum is {glue:text}`first_sum:.2f` nats ([as here](first-parameters)). One after.
"""
    source.write_text(source.read_text() + warns)
    record = run("first", {"n": "7"}, tmp_path / "out", root=small)
    assert record["numbers"] == {"first_sum": 7.25}
    assert record["meaning"] == {
        "n": "how many (pieces); allowed: 1 to 9",
        "first_sum": "The sum is 7.25 nats (as here).",
    }
    assert record["figures"] == {
        "first-line": {"file": "figures/first-line.svg", "caption": "Up to 7.2."}
    }
    assert (tmp_path / "out" / "figures" / "first-line.svg").read_text().startswith("<svg")
    assert record["warnings"] == ["cell 4: mind the gap"], "a run goes on, and says it"
    told = record["provenance"]
    assert told["python"] == platform.python_version() and told["torch"][0].isdigit()
    assert told["commit"] == "unknown" and told["version"][0].isdigit()
    assert record["parameters"] == {"n": 7}
    assert [f["verdict"] for f in record["verdicts"]] == ["disagrees"]
    assert json.loads((tmp_path / "out" / "results.json").read_text()) == record
    page = (tmp_path / "out" / "html" / "book" / "first.html").read_text()
    assert "n is 7" in page
    assert "A run of this chapter" in page and "instead of" in page
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
    assert render.address(found, small) == "git+https://example.org/owner/name"
    with_setup = render.with_setup(notebook, render.address(found, small))
    assert "git+https://example.org/owner/name" in with_setup.cells[0].source
    compile(with_setup.cells[0].source, "setup", "exec")
    nbformat.validate(with_setup)
    without = render.with_setup(notebook, "").cells[0].source
    exec(without, {})  # the library is here: nothing to say
    with pytest.raises(ModuleNotFoundError, match="pip install PATH_OF_ITS_REPOSITORY"):
        exec(without.replace('"unlearning"', '"unlearning_of_nobody"'), {})


def test_pages_tell_their_edition(tmp_path):
    def git(*words):
        who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True)

    (tmp_path / "pyproject.toml").write_text("[project]\nversion = '1.2.3'\n")
    assert edition(tmp_path) == Edition("1.2.3", "", "", False)
    git("init", "-q")
    git("add", "-A")
    git("commit", "-q", "-m", "all", "--date", "2020-02-02T00:00:00Z")
    clean = edition(tmp_path)
    assert re.fullmatch("[0-9a-f]{40}", clean.commit) and not clean.modified
    assert re.fullmatch(r"Version 1\.2\.3, commit \w{7} of 20\d\d-\d\d-\d\d", clean.told())
    config = {
        "repository": {"url": "https://example.org/a/b"},
        "html": {"extra_footer": "<p>F</p>"},
    }
    assert render.address(config, tmp_path) == f"git+https://example.org/a/b@{clean.commit}"
    (tmp_path / "more").write_text("")
    assert edition(tmp_path).modified and edition(tmp_path).told().endswith(", modified")
    assert render.address(config, tmp_path) == "git+https://example.org/a/b", "no commit holds it"
    footer = render.with_edition(config, clean)["html"]["extra_footer"]
    assert footer.startswith("<p>F</p>") and clean.commit[:7] in footer
    (tmp_path / "inner").mkdir()
    assert edition(tmp_path / "inner").commit == "", "a folder in somebody else's repository"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("see [the maps](cut.ipynb) and [b](cut-parameters)", "see the maps and b"),
        ("from {eq}`cut-eq-one` and {numref}`Figure %s <cut-first>`", "from *cut* and Figure %s"),
        ("{prf:ref}`cut-theorem`, {doc}`cut`", "*cut*, *cut*"),
        ("[a](cut.ipynb#part), [b](#cut-x), {doc}`this <cut>`", "a, b, this"),
        ("[kept](cut_not.ipynb), {eq}`kept-cut-eq`, [c](kept-cut)", None),
        ("a cut-off and `cut.ipynb` in words, [x](https://a.org/cut.html)", None),
    ],
)
def test_links_to_chapters_that_were_cut_are_words(text, left):
    assert render.unlinked(text, {"cut", "other"}) == (text if left is None else left)
    assert render.unlinked(text, set()) == text


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
