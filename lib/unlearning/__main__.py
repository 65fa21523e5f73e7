"""The `unlearning` command: build the book, run a chapter with other parameters, run experiments.

    unlearning build                                                     execute what changed, render the book
    unlearning run CHAPTER [-p NAME VALUE]… [-f FILE.yml] [--out DIR]     one chapter with other parameters
    unlearning params CHAPTER                                            what a chapter's parameters are
    unlearning notebooks [DIR]                                           all chapters as .ipynb, for papermill or Jupyter
    unlearning experiment --preset P [--help]                            train ensembles, unlearn, score
    unlearning pack --from RUN [--out DIR]                               an experiment's oracles as a few small files
    unlearning score [PACK [FILE…]]                                      compare your own unlearned models with them

The last three need only torch, numpy and scipy: PYTHONPATH=lib python3 -m unlearning …
"""

import argparse
import sys
from pathlib import Path
from types import ModuleType

NEED_TORCH = {"experiment": "train ensembles, unlearn, score; see its own --help",
              "pack": "an experiment's oracles as a few small files; see its own --help",
              "score": "compare your own unlearned models with packed oracles; see its own --help"}  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Exit status: 0 done, 1 something failed while running, 2 the request was refused before anything ran."""
    argv = sys.argv[1:] if argv is None else argv
    arguments = _parser("".join(argv[:1])).parse_args(argv)
    try:
        return arguments.action(arguments)
    except (ValueError, RuntimeError, OSError) as error:
        # Refused is the one ValueError meant for people; anything else of that kind is a defect and keeps its traceback.
        from unlearning.chapters import Refused

        known = isinstance(error, Refused) or type(error).__name__ in ("BuildFailed", "ChapterFailed")
        if not known and not isinstance(error, OSError):
            raise
        print(f"unlearning: {error}", file=sys.stderr)
        return 2 if isinstance(error, Refused) else 1


def _parser(asked: str) -> argparse.ArgumentParser:
    """All commands; those that need torch have options only when they are asked for."""
    parser = argparse.ArgumentParser(prog="unlearning", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    build = commands.add_parser("build", help="execute what changed and render the book to _build/html")
    build.set_defaults(action=_build)
    run = commands.add_parser("run", help="execute one chapter with other parameters")
    run.add_argument("chapter")
    run.add_argument("-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), dest="pairs")
    run.add_argument("-f", metavar="FILE.yml", dest="files", action="append", default=[], help="name: value per line")
    run.add_argument("--out", metavar="DIR", help="a new folder (default: the next free runs/CHAPTER-N)")
    run.set_defaults(action=_run)
    params = commands.add_parser("params", help="list a chapter's parameters")
    params.add_argument("chapter")
    params.set_defaults(action=_params)
    notebooks = commands.add_parser("notebooks", help="write all chapters as .ipynb without outputs")
    notebooks.add_argument("folder", nargs="?", default="notebooks")
    notebooks.set_defaults(action=_notebooks)
    for name, told in NEED_TORCH.items():
        own = commands.add_parser(name, help=told)
        if asked == name:
            module = _module(name)
            module.add_arguments(own)
            own.set_defaults(action=module.main)
    return parser


def _module(name: str) -> ModuleType:
    if name == "experiment":
        from unlearning import plan as found
    elif name == "pack":
        from unlearning import packing as found
    else:
        from unlearning import score as found
    return found


def _build(arguments: argparse.Namespace) -> int:
    from unlearning.build import build

    print(f"the book is built: open {build()}")
    return 0


def _run(arguments: argparse.Namespace) -> int:
    from unlearning import chapters
    from unlearning.build import run

    values: dict[str, object] = {}
    for file in arguments.files:
        values |= chapters.read_values(Path(file))
    for name, value in arguments.pairs:  # the command line wins over files
        values[name] = value
    source = chapters.path_of(arguments.chapter)
    numbered = (Path("runs") / f"{source.stem}-{i}" for i in range(1, 10**6))
    out = Path(arguments.out) if arguments.out else next(p for p in numbered if not p.exists())
    record = run(source.stem, values, out)
    for fact in record["verdicts"]:
        print(f"{fact['id']}: {fact['verdict']}")
    print(f"{out}/{source.stem}.ipynb, {out}/html/book/{source.stem}.html, {out}/results.json")
    return 0


def _params(arguments: argparse.Namespace) -> int:
    from unlearning import chapters

    found = chapters.parameters(chapters.path_of(arguments.chapter))
    for p in found:
        print(f"{p.name}: {p.type} = {p.default!r}\n    {p.meaning}; {p.allowed}")
    if not found:
        print(f"{arguments.chapter} has no parameters")
    return 0


def _notebooks(arguments: argparse.Namespace) -> int:
    import nbformat

    from unlearning import chapters

    folder = Path(arguments.folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in chapters.in_toc():
        nbformat.write(chapters.read(chapters.path_of(name)), folder / f"{name}.ipynb")
        print(folder / f"{name}.ipynb")
    return 0


if __name__ == "__main__":
    sys.exit(main())
