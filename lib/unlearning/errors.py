"""The two ways in which a request ends badly: refused before it ran, or failed while it ran.

Their texts are for people: one line that says what was given, what is allowed and what to do. Any other exception is a
defect and keeps its traceback.
"""


class Refused(ValueError):
    """A request that cannot be met as stated; nothing was done. The command's exit status is 2."""


class Failed(RuntimeError):
    """Work that could not be finished; what was recorded before stays. The command's exit status is 1."""


def one_line(error: BaseException) -> str:
    """The error's text on one line, for `unlearning: …` on stderr."""
    return " ".join(str(error).split())
