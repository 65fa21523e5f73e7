"""Library functions on the page: whole, highlighted, under their file and line."""

import inspect
import re

import pytest

from unlearning import klom, methods
from unlearning.page.source import show_source


def test_a_function_is_shown_whole_with_its_file_and_line(shown):
    [output] = shown(show_source, methods.gradient_ascent, klom.margins)
    page = output.data["text/html"]
    text = (
        re.sub(r"<[^>]+>", "", page)
        .replace("&gt;", ">")
        .replace("&lt;", "<")
        .replace("&quot;", '"')
    )
    for function in (methods.gradient_ascent, klom.margins):
        first = inspect.getsource(function).splitlines()[0]
        assert first in text and inspect.getsource(function).splitlines()[-1] in text
        assert f"line {inspect.getsourcelines(function)[1]}" in text
    assert "lib/unlearning/methods/ascent.py" in text and 'class="highlight"' in page
    assert "def gradient_ascent(" in output.data["text/plain"]


def test_a_decorated_function_is_shown_where_it_is_written(shown):
    [output] = shown(show_source, klom.klom)
    assert output.data["text/plain"].startswith("# lib/unlearning/klom.py, line")
    assert "@torch.no_grad()" in output.data["text/plain"]


def test_what_cannot_be_shown_is_refused():
    with pytest.raises(ValueError, match="name at least one"):
        show_source()
    with pytest.raises(TypeError):
        show_source(3)
