"""The library on the page: the source of the functions that a chapter teaches, highlighted, with file and line."""

import html
import inspect
from collections.abc import Callable
from pathlib import Path

from IPython.display import display
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from unlearning.files import ROOT


def show_source(*taught: Callable) -> None:
    """Display the source of functions or classes of this library, one below the other, each under its file and line.

    Every public function of the science rooms is shown by exactly one chapter (a test). Raises ValueError without an
    argument and TypeError for anything that has no Python source.
    """
    if not taught:
        raise ValueError("show_source: name at least one function or class of the library")
    parts, plain = [], []
    for one in map(inspect.unwrap, taught):  # a decorator's file is not the function's
        code = inspect.getsource(one).rstrip()
        where = f"{_place(one)}, line {inspect.getsourcelines(one)[1]}"
        body = highlight(code, PythonLexer(), HtmlFormatter(cssclass="highlight"))
        parts.append(
            f'<figure class="source"><figcaption><code>{html.escape(one.__qualname__)}</code> in '
            f'<code>{html.escape(where)}</code></figcaption><div class="highlight-python notranslate">{body}</div></figure>'
        )
        plain.append(f"# {where}\n{code}")
    display({"text/html": "".join(parts), "text/plain": "\n\n\n".join(plain)}, raw=True)


def _place(one: Callable) -> str:
    """The file as a reader of the repository knows it: lib/unlearning/…."""
    path = Path(inspect.getsourcefile(one)).resolve()
    if path.is_relative_to(ROOT):
        return path.relative_to(ROOT).as_posix()
    parts = path.parts  # an installed package
    return (
        "/".join(("lib", *parts[parts.index("unlearning") :]))
        if "unlearning" in parts
        else path.name
    )
