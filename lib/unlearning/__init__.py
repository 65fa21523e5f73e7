"""The library behind the book.

The flat files are the paper's vocabulary: data sets, forget sets, networks, training, methods, KLoM. Four wings stand
beside them: `theory` (closed forms), `experiment` (ensembles, records), `page` (figures, verdicts), `build` (chapters
into a book). Nothing is imported here, so that `import unlearning.klom` needs torch, numpy and scipy only.
"""

__version__ = "0.1.0"
