"""Minutes of reading and seconds of running, from a chapter's text; what a build says before it begins."""

import nbformat
import pytest

from unlearning.build import chapters, glance, render
from unlearning.build.book import told


def chapter(*cells, opening="**Runtime** about 20 s on one core."):
    made = [nbformat.v4.new_markdown_cell(f"# T\n\n{opening}")]
    return nbformat.v4.new_notebook(cells=[*made, *cells])


def test_reading_time_counts_what_is_read():
    prose = nbformat.v4.new_markdown_cell("word " * 2000)
    assert glance.reading_minutes(chapter(prose)) == 10
    code = nbformat.v4.new_code_cell("x = 1\n\n" * 250)
    assert glance.reading_minutes(chapter(prose, code)) == 20
    folded = nbformat.v4.new_code_cell("x = 1\n" * 250, metadata={"tags": ["hide-input"]})
    solution = nbformat.v4.new_markdown_cell(
        "```{solution} x\n:class: dropdown\n" + "word " * 900 + "\n```"
    )
    assert glance.reading_minutes(chapter(prose, folded, solution)) == 10
    pictures = nbformat.v4.new_code_cell("figures.show(a, alt='b')\nfigures.table(t)\n" * 10)
    assert glance.reading_minutes(chapter(prose, pictures)) == 16
    assert glance.reading_minutes(chapter()) == 1


def test_it_stands_beside_the_runtime_once():
    made = glance.with_reading(chapter(nbformat.v4.new_markdown_cell("**Runtime** again")))
    assert made.cells[0].source.endswith(
        "**Reading** about 1 min. **Runtime** about 20 s on one core."
    )
    without = chapter(opening="no block")
    assert glance.with_reading(without) == without


@pytest.mark.parametrize(
    ("opening", "seconds"),
    [
        ("**Runtime** about 35 s on one core.", 35),
        ("**Runtime** a second: it computes nothing.", 1),
        ("**Runtime** about a minute on one core; the first 3 s", 60),
        ("**Runtime** about 2 minutes.", 120),
        ("**Runtime** unknown.", 20),
        ("", 20),
    ],
)
def test_stated_runtimes(opening, seconds):
    assert glance.stated_seconds(chapter(opening=opening)) == seconds


@pytest.mark.parametrize("name", chapters.in_toc())
def test_every_chapter_states_both(name):
    notebook = chapters.read(chapters.path_of(name))
    assert "**Reading** about" in glance.with_reading(notebook).cells[0].source
    assert 1 <= glance.stated_seconds(notebook) <= 600
    assert 2 <= glance.reading_minutes(notebook) <= 60


def test_a_build_says_what_it_will_do(tmp_path):
    todo = {
        "a": chapter(opening="**Runtime** about 4 minutes."),
        "b": chapter(opening="**Runtime** about 4 minutes."),
    }
    assert (
        told(tmp_path, todo, 1)
        == "executing 2 chapters, 1 at a time: about 8 min; nothing is downloaded"
    )
    assert "2 at a time: about 4 min" in told(tmp_path, todo, 8)
    last = chapter()
    last.metadata["unlearning"] = {"seconds": 840.0}  # as the last build took
    render.save(last, tmp_path / "a.ipynb")
    assert "about 18 min" in told(tmp_path, todo, 1) and "about 14 min" in told(tmp_path, todo, 2)
    (tmp_path / "a.ipynb").write_text("{damaged")
    assert "about 8 min" in told(tmp_path, todo, 1)
