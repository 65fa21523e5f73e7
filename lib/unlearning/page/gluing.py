"""Computed numbers for a chapter's prose."""

from myst_nb import glue


def glue_numbers(chapter: str, **values: float | int | str) -> None:
    """Make each value available to the text as {glue:text}`CHAPTER_NAME`; counts and texts stay what they are."""
    for name, value in values.items():
        plain = value if isinstance(value, (int, str)) else float(value)
        glue(f"{chapter}_{name}", plain, display=False)
