"""The two ways in which a request ends badly: refused before it ran, or failed while it ran.

Their texts are for people: one line that says what was given, what is allowed and what to do. Any other exception is a
defect and keeps its traceback.
"""

import shutil


class _ForPeople(Exception):
    """In a notebook its text alone is shown, without a traceback."""

    def _render_traceback_(self) -> list[str]:  # IPython asks for it
        return [f"{type(self).__name__}: {one_line(self)}"]


class Refused(_ForPeople, ValueError):
    """A request that cannot be met as stated; nothing was done. The command's exit status is 2."""


class Failed(_ForPeople, RuntimeError):
    """Work that could not be finished; what was recorded before stays. The command's exit status is 1."""


def one_line(error: BaseException) -> str:
    """The error's text on one line, for `unlearning: …` on stderr, with what was noted on it (`add_note`)."""
    return "; ".join(short(text) for text in (_text(error), *getattr(error, "__notes__", ())))


def _text(error: BaseException) -> str:
    """The error's text; of a copy of many files that failed (shutil.Error), the first one's."""
    many = error.args[0] if isinstance(error, shutil.Error) and error.args else None
    if not isinstance(many, list):
        return str(error)
    return f"{many[0][-1]}" + f" (and {len(many) - 1} more files)" * (len(many) > 1)


def lines(error: BaseException) -> str:
    """The error's text with a line for each thing that failed, at most 40, and one for what was noted on it."""
    told = [short(line) for line in str(error).splitlines() if line.strip()]
    more = [f"and {len(told) - 40} more lines"] if len(told) > 40 else []
    return "\n".join([*told[:40], *more, *getattr(error, "__notes__", ())])


def short(text: object, most: int = 500) -> str:
    """A text on one line, cut after `most` characters, without characters that would control a terminal."""
    told = " ".join(str(text)[: 4 * most].split())
    told = told if len(told) <= most else f"{told[:most].rstrip()} …"
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in told)
