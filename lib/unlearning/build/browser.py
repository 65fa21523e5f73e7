"""The headless browser that prints and draws: any Chromium or Chrome of this machine."""

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from unlearning.errors import Refused

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
ADVICE = (
    "install one (Debian: apt-get install chromium; macOS: brew install --cask chromium), set CHROMIUM to its path, "
    "or run .venv/bin/playwright install chromium"
)

# Ctrl-C ends playwright's driver, too; what asyncio then says of it is no news to anybody.
logging.getLogger("asyncio").addHandler(logging.NullHandler())


def find() -> str | None:
    """The path of a browser: $CHROMIUM, one on the PATH, or the one that playwright downloaded; None without any."""
    found = os.environ.get("CHROMIUM") or next((p for p in map(shutil.which, NAMES) if p), None)
    return found or _downloaded()


def _downloaded() -> str | None:
    try:
        from playwright.sync_api import sync_playwright

        with sync_playwright() as playwright:
            path = playwright.chromium.executable_path
    except (
        Exception
    ):  # no playwright, or it has no driver for this machine: both mean that it brings no browser
        return None
    return path if os.path.exists(path) else None


@contextmanager
def opened() -> Iterator[object]:
    """A headless browser (playwright's), closed afterwards. Raises Refused, with what to install, without one."""
    path = find()
    if path is None:
        raise Refused(f"no Chromium found: {ADVICE}")
    try:
        from playwright.sync_api import Error, sync_playwright
    except ModuleNotFoundError:
        raise Refused("playwright is missing: pip install -r requirements.txt") from None
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(
                executable_path=path, args=["--no-sandbox", "--disable-gpu"]
            )
        except Error as error:
            raise Refused(
                f"{path} does not start as a browser ({str(error)[:80]}): {ADVICE}"
            ) from None
        try:
            yield browser
        finally:
            browser.close()
