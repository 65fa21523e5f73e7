"""Shared by all tests: the built book, a browser, the marker for GPUs."""

import os
import shutil
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path

# Before torch is imported: its threads cost more than they bring on the tests' small tensors, as in the chapters.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest  # noqa: E402
from xdist.scheduler import LoadScopeScheduling  # noqa: E402

from unlearning.build import browser
from unlearning.build.book import build
from unlearning.errors import Refused
from unlearning.files import ROOT, only_one

APART = (
    "test_pages",
    "test_smoke",
)  # files whose tests share nothing dear: each may run beside its neighbours


class ByFile(LoadScopeScheduling):
    """Tests of one file run on one worker, because they share what they made; tests of APART run anywhere."""

    def _split_scope(self, nodeid):
        file = nodeid.partition("::")[0]
        return nodeid if Path(file).stem in APART else file


def pytest_xdist_make_scheduler(config, log):
    return ByFile(config, log)


def pytest_collection_modifyitems(config, items):
    """Tests marked cuda are skipped without a GPU; torch is asked only if there are any."""
    marked = [item for item in items if item.get_closest_marker("cuda")]
    if marked:
        import torch

        if not torch.cuda.is_available():
            for item in marked:
                item.add_marker(pytest.mark.skip(reason="no CUDA device"))


@pytest.fixture(scope="session")
def shown():
    """A function that calls another one and returns what it displayed, as a kernel would have recorded it."""
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output
    from traitlets.config import Config

    InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))

    def call(function, *args, **kwargs):
        with capture_output() as captured:
            function(*args, **kwargs)
        return captured.outputs

    return call


@contextmanager
def environment_kept():
    """A build prepares the environment of its kernels: here it must not reach the tests that follow in this process."""
    before = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(autouse=True)
def _environment():
    with environment_kept():
        yield


@pytest.fixture(scope="session")
def book():
    """The folder of the book's pages, brought up to date first, by one worker while the others wait."""
    with environment_kept(), only_one(ROOT / "_build" / "tests", wait=True):
        return build(ROOT).parent


def install(folder: Path) -> Path:
    """Install the package below `folder` as pip does, from a copy of the sources; return what to put on PYTHONPATH."""
    for name in ("setup.py", "pyproject.toml", "README.md", "_toc.yml"):
        folder.joinpath("source").mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / "source")
    for name in ("lib", "book", "results"):
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "*.ipynb")
        shutil.copytree(ROOT / name, folder / "source" / name, ignore=ignored)
    options = "--quiet --no-deps --no-index --no-build-isolation --no-compile --target".split()
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, folder / "site", folder / "source"],
        check=True,
    )
    return folder / "site"


@pytest.fixture(scope="session")
def chromium():
    """A headless browser. Without one the test is skipped, saying how to get one; with REQUIRE_BROWSER=1 it fails."""
    with ExitStack() as stack:
        try:
            chromium = stack.enter_context(browser.opened())
        except Refused as error:
            if os.environ.get("REQUIRE_BROWSER"):
                pytest.fail(str(error))
            pytest.skip(str(error))
        yield chromium
