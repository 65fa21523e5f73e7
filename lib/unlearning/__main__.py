"""The `unlearning` command.

    unlearning doctor                                                    what this machine has, what is missing
    unlearning build                                                     execute what changed, render the book
    unlearning run CHAPTER [-p NAME VALUE]… [-f FILE.yml] [--out DIR]     one chapter with other parameters
    unlearning sweep CHAPTER -p NAME=VALUES… --out DIR                   one chapter at many parameters, with an index
    unlearning params CHAPTER                                            what a chapter's parameters are
    unlearning notebooks [DIR]                                           all chapters as .ipynb, for papermill or Jupyter
    unlearning assignment [NAME] [--roster CSV]                          versions for students, teachers, autograder
    unlearning grade NAME DIR [--help]                                   grade a class: points, reasons, one page
    unlearning figures [FILE.zip]                                        the built book's figures for slides
    unlearning pdf                                                       the built book as one PDF
    unlearning experiment --preset P [--help]                            train ensembles, unlearn, score
    unlearning merge --from A B … --out DIR                               the shards of an experiment as one
    unlearning pack --from RUN [--out DIR]                               an experiment's oracles as a few small files
    unlearning restore --from FILE --out DIR                             pretrained models from a file into an experiment
    unlearning score [PACK [FILE…]]                                      compare your own unlearned models with them

The last four need only torch, numpy and scipy: PYTHONPATH=lib python3 -m unlearning …
"""

import argparse
import importlib
import io
import os
import re
import sys

from unlearning.errors import Failed, Refused, lines, one_line

# name -> (room with add_arguments and main, what it does); a room is imported only when its command is asked for
COMMANDS = {
    "doctor": (
        "unlearning.build.doctor",
        "what this machine has, what is missing, and the command that mends it",
    ),
    "build": ("unlearning.build.book", "execute what changed and render the book to _build/html"),
    "run": ("unlearning.build.single", "execute one chapter with other parameters"),
    "sweep": ("unlearning.build.sweep", "one chapter at many parameters, with an index of results"),
    "params": ("unlearning.build.listing", "list a chapter's parameters"),
    "notebooks": ("unlearning.build.notebooks", "write all chapters as .ipynb without outputs"),
    "assignment": (
        "unlearning.build.assignments",
        "an assignment's versions for students, teachers and the autograder",
    ),
    "figures": ("unlearning.build.figure_pack", "the built book's figures for slides, in one zip"),
    "pdf": ("unlearning.build.pdf", "the built book as one PDF, linked from its first page"),
    "grade": ("unlearning.build.grading", "grade a class's submissions of an assignment"),
    "experiment": (
        "unlearning.experiment.runner",
        "train ensembles, unlearn, score; see its own --help",
    ),
    "merge": (
        "unlearning.experiment.merge",
        "the shards of an experiment as one, with its records; see its own --help",
    ),
    "pack": (
        "unlearning.experiment.packing",
        "an experiment's oracles as a few small files; see its own --help",
    ),
    "restore": (
        "unlearning.experiment.starts",
        "pretrained models from a file into an experiment's folder; see its own --help",
    ),
    "try": (
        "unlearning.page.trial",
        "a method on models and oracles that come with the repository; see its own --help",
    ),
    "score": (
        "unlearning.experiment.score",
        "compare your own unlearned models with packed oracles; see its own --help",
    ),
}


def main(argv: list[str] | None = None) -> int:
    """Exit status: 0 done, 1 something failed while running, 2 the request was refused before anything ran, 130 Ctrl-C.

    Refused, Failed and errors of the machine (disk, memory) are for people, on one line each; anything else is a
    defect and keeps its traceback.
    """
    for stream in (sys.stdout, sys.stderr):  # a terminal that has no λ shows a question mark
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    argv = sys.argv[1:] if argv is None else argv
    try:
        arguments = _parser("".join(argv[:1])).parse_args(_with_minus(argv))
        return arguments.action(arguments)
    except Refused as error:
        return _ended(2, one_line(error))
    except Failed as error:
        return _ended(1, lines(error))
    except BrokenPipeError:  # `unlearning … | head`: nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        return _ended(1, one_line(error))
    except MemoryError as error:
        return _ended(1, f"out of memory: {one_line(error) or 'ask for less'}")
    except KeyboardInterrupt as error:
        told = "interrupted; what was finished is kept"
        return _ended(130, "; ".join([told, *getattr(error, "__notes__", ())]))


def _ended(status: int, told: str) -> int:
    print(f"unlearning: {told}", file=sys.stderr)
    return status


class _Once(argparse.Action):
    """The value of an option, given at most once: a second one would silently replace the first."""

    def __call__(self, parser, namespace, values, option_string=None):
        if option_string and getattr(self, "given", False):
            several = ", with all its values after it" if self.nargs == "+" else ""
            raise Refused(f"{option_string} is given twice: give it once{several}")
        self.given = True
        setattr(namespace, self.dest, values)


def _with_minus(argv: list[str]) -> list[str]:
    """The words; a value of -p that begins with a minus sign gets a space before it, or it would count as an option."""
    known = re.compile(r"-(\.?\d|inf|nan)", re.IGNORECASE)
    return [
        f" {word}" if at > 1 and argv[at - 2] == "-p" and known.match(word) else word
        for at, word in enumerate(argv)
    ]


def _parser(asked: str) -> argparse.ArgumentParser:
    """All commands; only the one asked for is imported and has options."""
    parser = argparse.ArgumentParser(
        prog="unlearning", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (room, told) in COMMANDS.items():
        command = commands.add_parser(name, help=told)
        if asked == name:
            module = importlib.import_module(room)
            command.register("action", None, _Once)
            module.add_arguments(command)
            command.set_defaults(action=module.main)
    return parser


if __name__ == "__main__":
    sys.exit(main())
