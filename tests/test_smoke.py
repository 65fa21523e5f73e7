"""Each chapter through the runner, with the small parameters of smoke.yml: `unlearning run CHAPTER -f …`.

Its kernel has the package as pip installs it and runs outside the repository: what passes here runs as a download, and on
Colab. `make test` runs one chapter of each kind, `make test-long` all others.
"""

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml

from conftest import install
from unlearning.build.chapters import in_toc
from unlearning.files import ROOT

SMOKE = yaml.safe_load(Path(__file__).with_name("smoke.yml").read_text())

# One of each kind: first page; theory; scores; ensembles trained in the page; a scale without records; verdicts.
KINDS = ("home", "one_dimension", "klom", "live", "illusion", "verdicts")

# The command of this clone, whose kernels find the package in the folder that is the first word, and not here.
COMMAND = """
import os, sys
from unlearning.__main__ import main
os.environ["PYTHONPATH"] = sys.argv.pop(1)
os.environ["UNLEARNING_BUILD"] = os.path.abspath("_build")  # of this clone: what one chapter trained serves the next
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("installed"))


def test_every_chapter_has_smoke_parameters():
    assert set(SMOKE) == set(in_toc()) >= set(KINDS)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",  # the longest are the last chapters; they begin first
    [
        pytest.param(name, marks=[] if name in KINDS else [pytest.mark.long])
        for name in reversed(SMOKE)
    ],
)
def test_chapter(name, installed, tmp_path):
    (tmp_path / "values.yml").write_text(yaml.safe_dump(SMOKE[name]))
    out = tmp_path / "out"
    words = ["run", name, "-f", str(tmp_path / "values.yml"), "--out", str(out)]
    command = [sys.executable, "-c", COMMAND, str(installed), *words]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert ran.returncode == 0, ran.stderr
    record = json.loads((out / "results.json").read_text())
    for parameter, value in SMOKE[name].items():
        assert record["parameters"][parameter] == value
    assert record["warnings"] == []
    if SMOKE[name].get("scale") == "paper":  # without records nothing smaller takes their place
        assert all(holds is None for f in record["verdicts"] for holds in f["checks"].values())
    notebook = nbformat.read(out / f"{name}.ipynb", 4)
    assert any("injected-parameters" in cell.metadata.get("tags", []) for cell in notebook.cells)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not [output for cell in code for output in cell.outputs if output.output_type == "error"]
    page = (out / "html" / "book" / f"{name}.html").read_text()
    assert "tag_injected-parameters" in page and "text_html" in page
