"""What the installed package takes along from the repository; everything else about it is in pyproject.toml.

A notebook that is opened elsewhere (Colab, a download) reads records and the contents page. They stand in the
repository once, and an installed copy carries them in `unlearning/repository`, where `unlearning.files.ROOT` finds them.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).resolve().parent


class WithRecords(build_py):
    """Copies results/, _toc.yml and the pages that are no chapters; an editable install reads the clone's own."""

    def run(self):
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib) / "unlearning" / "repository"
        shutil.rmtree(target, ignore_errors=True)  # of an earlier build
        (target / "book").mkdir(parents=True)
        shutil.copytree(HERE / "results", target / "results", ignore=shutil.ignore_patterns("lock"))
        for path in (HERE / "_toc.yml", *sorted((HERE / "book").glob("*.md"))):
            shutil.copy(path, target / path.relative_to(HERE))


setup(cmdclass={"build_py": WithRecords})
