"""Each chapter through the runner, with the small parameters of smoke.yml: `unlearning run CHAPTER -f …`."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from unlearning.chapters import ROOT, in_toc

SMOKE = yaml.safe_load(Path(__file__).with_name("smoke.yml").read_text())


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """What the runner said and left for each chapter; two run at a time."""
    folder = tmp_path_factory.mktemp("smoke")

    def one(name):
        (folder / f"{name}.yml").write_text(yaml.safe_dump(SMOKE[name]))
        command = [sys.executable, "-m", "unlearning", "run", name, "-f", str(folder / f"{name}.yml")]
        return subprocess.run([*command, "--out", str(folder / name)], capture_output=True, text=True, cwd=ROOT)

    with ThreadPoolExecutor(2) as pool:
        return folder, dict(zip(SMOKE, pool.map(one, SMOKE)))


def test_every_chapter_has_smoke_parameters():
    assert set(SMOKE) == set(in_toc())


@pytest.mark.slow
@pytest.mark.parametrize("name", list(SMOKE))
def test_chapter(runs, name):
    folder, ran = runs
    assert ran[name].returncode == 0, ran[name].stderr
    record = json.loads((folder / name / "results.json").read_text())
    for parameter, value in SMOKE[name].items():
        assert record["parameters"][parameter] == value
    page = (folder / name / "html" / "book" / f"{name}.html").read_text()
    assert "injected-parameters" in (folder / name / f"{name}.ipynb").read_text()
    assert "Traceback" not in page and "text_html" in page
