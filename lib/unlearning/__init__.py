"""The library behind the book: theory, experiments, and the runner that executes and renders the chapters.

Each module has one purpose and says in its first line which chapter explains it. Nothing is imported here, so that
`import unlearning.logistic` needs numpy and scipy only.
"""

__version__ = "0.1.0"
