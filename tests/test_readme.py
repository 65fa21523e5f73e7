"""The README's words that could go stale: the verdicts it lists, the commands it names, its length."""

import json
import re
import shlex
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

from unlearning.__main__ import COMMANDS, _parser, _with_minus
from unlearning.build import chapters, sweep_points
from unlearning.experiment import runner
from unlearning.files import ROOT
from unlearning.page import ledger
from unlearning.page.claims import CLAIMS

README = (ROOT / "README.md").read_text()


def test_the_listed_verdicts_are_the_books(book):
    facts = ledger.collect()
    found = {claim.id: ledger.verdict_of(claim.id, facts) for claim in CLAIMS}
    listed = README.split("<!-- verdicts")[1].split("<!-- end")[0]
    rows = re.findall(r"^\| (C\d+) \|.*\| ([a-z ]+) \| ([a-z ]+) \| ([a-z-]*) \|$", listed, re.M)
    assert {claim: ledger.Verdict(*rest) for claim, *rest in rows} == found


def test_the_commands_exist():
    for target in re.findall(r"^\s+make (\w+)", README, re.M):
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.M), target
    lines = re.findall(r"^\s+\.venv/bin/unlearning (params .*?)\s+#", README, re.M)
    for line in lines:
        ran = subprocess.run(
            [sys.executable, "-m", "unlearning", *line.split()], capture_output=True, cwd=ROOT
        )
        assert ran.returncode == 0
    assert lines


PLACEHOLDER = re.compile(r"…|\$|^[A-Z]+[),.]*$|^\.\.\.$|^i/n$")


def documented() -> list[tuple[str, list[str]]]:
    """Every command that a text for people names: (file, the words after `unlearning`)."""
    texts = [*ROOT.glob("*.md"), *ROOT.glob("book/*.md"), *ROOT.glob("book/*.py")]
    found = []
    for path in sorted([*texts, *ROOT.glob("results/**/*.md")]):
        text = path.read_text()
        if path.suffix == ".py" and path.parent.name == "book":
            text = "\n".join(line[2:] for line in text.splitlines() if line[:2] == "# ")
        text = re.sub(r"\\\n\s*", "", text)  # a command over two lines is one
        text = re.sub(r"(?<!`)`[^`]+`(?!`)", lambda quoted: " ".join(quoted[0].split()), text)
        for line in re.findall(
            rf"(?m)(?:^ *|[`/]|-m )unlearning ((?:{'|'.join(COMMANDS)})\b[^`#\n]*)", text
        ):
            line = re.split(r"\s{3,}|; |\)", line)[0]  # what it does stands beside it
            found.append((path.name, shlex.split(line) if line.count('"') % 2 == 0 else []))
    return found


@pytest.mark.parametrize(("file", "words"), documented())
def test_every_documented_command_is_accepted(file, words, tmp_path, monkeypatch):
    """Parsed as the command line, with names, values and choices checked as before a run; nothing runs."""
    monkeypatch.chdir(tmp_path)
    named = re.findall(r"my_method\.py:(\w+)", " ".join(words))
    Path("my_method.py").write_text("".join(f"def {name}(run):\n    pass\n" for name in named))
    if len(words) < 2 or any(PLACEHOLDER.search(word) for word in words):
        return  # the command exists
    arguments = _parser(words[0]).parse_args(_with_minus(words))
    if words[0] == "run":
        chapters.overrides(chapters.path_of(arguments.chapter), dict(arguments.pairs))
    elif words[0] == "params":
        chapters.path_of(arguments.chapter)
    elif words[0] == "sweep":
        known = chapters.parameters(chapters.path_of(arguments.chapter))
        sweep_points.points(arguments.chapter, known, arguments.axes)
    elif words[0] == "experiment":
        runner.chosen(arguments)


def test_the_reader_of_commands_sees_them():
    found = documented()
    assert ("README.md", ["run", "one_dimension", "-p", "lam", "0.02"]) in found
    assert len([words for _, words in found if words[:1] == ["run"]]) >= len(chapters.in_toc())
    assert any(words[:1] == ["restore"] for _, words in found), "a command on two lines"


def _for_cpu(pinned: str) -> str:
    """What the Makefile makes of the pins for `make TORCH_INDEX=URL book`."""
    words = ["make", "-n", "TORCH_INDEX=https://example.org/cpu", "-W", "pyproject.toml"]
    recipe = subprocess.run(
        [*words, ".venv/installed"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert "--extra-index-url https://example.org/cpu -r .venv/requirements.txt" in recipe
    command = re.search(r"sed -E '([^']+)'", recipe)[0]
    return subprocess.run(
        ["bash", "-c", command], input=pinned, capture_output=True, text=True, check=True
    ).stdout


def test_every_road_to_an_environment_names_versions_that_are_tried():
    """CI's matrix holds the oldest Python that the package allows and the one that conda brings."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    tried = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text())["jobs"]["test"]
    versions = tried["strategy"]["matrix"]["python-version"]
    assert project["requires-python"] == f">={versions[0]}" and "3.13" in versions
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    assert conda[0].removeprefix("python=") in versions
    assert conda[-1] == {"pip": ["-r requirements.txt", "-e ."]}
    pinned = (ROOT / "requirements.txt").read_text()
    left = _for_cpu(pinned)
    assert re.findall(r"^(?:torch|torchvision)==.*", left, re.M) == [
        f"{line}+cpu" for line in re.findall(r"^(?:torch|torchvision)==\S+", pinned, re.M)
    ]
    assert not re.search(r"^(nvidia|cuda|triton)", left, re.M)
    assert len(left.splitlines()) > 100, "and nothing else is left out"


def test_pip_takes_the_cpu_wheels_from_an_index_that_has_them(tmp_path: Path):
    """pip itself, before a main index whose torch is the CUDA one and a second index as PyTorch's is laid out."""

    def served(index: str, name: str, version: str) -> str:
        wheel = f"{name}-{version}-py3-none-any.whl"
        (tmp_path / index / name).mkdir(parents=True)
        with zipfile.ZipFile(tmp_path / index / name / wheel, "w") as file:
            told, info = f"Name: {name}\nVersion: {version}\n", f"{name}-{version}.dist-info"
            file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\n{told}")
            file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
            file.writestr(f"{info}/RECORD", "")
        link = f'<a href="{wheel.replace("+", "%2B")}">{wheel}</a>'
        (tmp_path / index / name / "index.html").write_text(f"<!DOCTYPE html><body>{link}</body>")
        return (tmp_path / index).as_uri()

    pinned = (ROOT / "requirements.txt").read_text()
    pins = dict(re.findall(r"^(torch|torchvision)==([^\s;]+)", pinned, re.M))
    assert set(pins) == {"torch", "torchvision"}
    for name, version in pins.items():
        main, cpu = served("main", name, version), served("cpu", name, f"{version}+cpu")
    asked = [line for line in _for_cpu(pinned).splitlines() if line.startswith("torch")]
    (tmp_path / "asked.txt").write_text("\n".join(asked))
    words = [
        "install",
        "--dry-run",
        "--ignore-installed",
        "--quiet",
        "--report",
        "-",
        "--no-cache-dir",
    ]
    ran = subprocess.run(
        [sys.executable, "-m", "pip", "--isolated", *words, "--index-url", main,
         "--extra-index-url", cpu, "-r", str(tmp_path / "asked.txt")],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    chosen = {p["metadata"]["name"]: p for p in json.loads(ran.stdout)["install"]}
    assert {name: p["metadata"]["version"] for name, p in chosen.items()} == {
        name: f"{version}+cpu" for name, version in pins.items()
    }
    assert all(p["download_info"]["url"].startswith(cpu) for p in chosen.values())


def test_one_screen():
    unfolded = re.sub(r"<details>.*?</details>", "", README, flags=re.DOTALL)
    assert len(unfolded.splitlines()) <= 75
    for path in re.findall(r"\]\(([^)h][^)]*)\)", README):
        assert (ROOT / path).exists(), path
    assert len((ROOT / "CONTRIBUTING.md").read_text().splitlines()) <= 100
