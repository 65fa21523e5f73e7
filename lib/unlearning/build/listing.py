"""`unlearning params CHAPTER`: a chapter's parameters, as a person may give them."""

import argparse

from unlearning.build import chapters


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `unlearning params`."""
    parser.add_argument("chapter")


def main(arguments: argparse.Namespace) -> int:
    """Exit status 0; an unknown chapter is Refused."""
    found = chapters.parameters(chapters.path_of(arguments.chapter))
    for p in found:
        print(f"{p.name}: {p.type} = {p.default!r}\n    {p.meaning}; {p.allowed}")
    if not found:
        print(f"{arguments.chapter} has no parameters")
    return 0
