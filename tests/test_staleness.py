"""Out-of-date detection: a key changes with everything a chapter could depend on and with nothing else."""

import pytest

from unlearning.build import keys


@pytest.fixture
def package(tmp_path):
    """A package in which a chapter can reach ending <- middle <- start, and other stands alone."""
    folder = tmp_path / "package"
    folder.mkdir()
    files = {
        "__init__": "",
        "start": "from unlearning.middle import f\n",
        "middle": "def f():\n    from . import ending\n",
        "ending": "import numpy\n",
        "other": "",
        "circle": "import unlearning.circle\n",
        "experiment/__init__": "",
        "experiment/results": "",
        "page/__init__": "",
        "page/ledger": "from unlearning.page import verdicts\n",
        "page/verdicts": "",
        "page/figures": "from unlearning.ending import x\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / f"{name}.py").write_text(text)
    (tmp_path / "requirements.txt").write_text("numpy==1\n")
    (tmp_path / "results").mkdir()
    return folder


@pytest.mark.parametrize(
    ("code", "reached"),
    [
        ("import numpy", {"__init__"}),
        ("from unlearning import start", {"__init__", "start", "middle", "ending"}),
        ("import unlearning.middle as m", {"__init__", "middle", "ending"}),
        ("from unlearning.other import x", {"__init__", "other"}),
        ("def f():\n    from unlearning import ending, other", {"__init__", "ending", "other"}),
        ("import unlearning.circle", {"__init__", "circle"}),
        ("from unlearning.page import figures", {"__init__", "page", "page.figures", "ending"}),
        (
            "from unlearning.page.ledger import x",
            {"__init__", "page", "page.ledger", "page.verdicts"},
        ),
    ],
)
def test_closure(package, code, reached):
    assert set(keys.closure(code, package)) == reached


@pytest.mark.parametrize(
    "code",
    [
        "import unlearning",
        "import importlib",
        "from subprocess import run",
        "import os",
        "__import__('x')",
        "exec('1')",
        "from runpy import run_module",
    ],
)
def test_in_doubt_everything_counts(package, code):
    assert set(keys.closure(code, package)) == set(keys.modules(package))


def test_the_key_covers_what_could_change_the_outputs(package, tmp_path):
    import nbformat

    def key(
        code="from unlearning import start\nfrom unlearning.experiment import results",
        source="s",
        values=None,
        verdicts=(),
    ):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
        return keys.key(source, notebook, values or {"a": 1}, tmp_path, list(verdicts), package)

    first = key()
    assert key() == first
    assert key(source="t") != first and key(values={"a": 2}) != first
    (package / "other.py").write_text("changed = 1\n")
    assert key() == first, "an unrelated module must not cause an execution"
    for path in (package / "ending.py", package / "__init__.py", tmp_path / "requirements.txt"):
        path.write_text("changed = 1\n")
        assert key() != first, f"{path.name} must count"
        first = key()
    (tmp_path / "results" / "laptop.jsonl").write_text("{}\n")
    assert key() != first, "a chapter that reads results depends on them"
    plain = key("from unlearning import start")
    (tmp_path / "results" / "laptop.jsonl").write_text("{}\n{}\n")
    assert key("from unlearning import start") == plain
    assert key(verdicts=[{"id": "C1"}]) == key(), "only readers of verdicts depend on them"
    assert key("import unlearning.page.ledger", verdicts=[1]) != key(
        "import unlearning.page.ledger", verdicts=[2]
    )


def test_the_library_starts_no_code_of_its_own_behind_imports():
    """`closure` trusts modules of the package to reach each other by imports only: so they must not use other ways."""
    for path in keys.PACKAGE.rglob("*.py"):
        text = path.read_text()
        assert "import_module(" not in text or path.name == "__main__.py"
        assert "__import__(" not in text.replace('"__import__"', ""), path.name
        assert '"-m", "unlearning' not in text, path.name


def test_a_script_of_a_live_picture_counts(tmp_path):
    """Changed JavaScript changes the key of the chapters that show live pictures, and of no other."""
    from nbformat.v4 import new_code_cell, new_notebook

    (tmp_path / "requirements.txt").write_text("numpy==1\n")
    (tmp_path / "book" / "panels").mkdir(parents=True)
    script = tmp_path / "book" / "panels" / "picture.js"

    def key_of(code: str, text: str) -> str:
        script.write_text(text)
        return keys.key("", new_notebook(cells=[new_code_cell(code)]), {}, tmp_path, [])

    assert key_of("from panels import interactive", "1") != key_of(
        "from panels import interactive", "2"
    )
    assert key_of("import numpy", "1") == key_of("import numpy", "2")
