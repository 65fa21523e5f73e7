"""The science can be read in the book: public functions of the flat rooms and of methods/ are printed, each once.

`show_source(room.function, …)` in a chapter prints a function.
"""

import ast
import importlib
import inspect
from collections import Counter
from collections.abc import Callable

from unlearning.build import chapters
from unlearning.build.keys import code_of, modules

WINGS = ("theory", "experiment", "page", "build", "panels")


def name_of(one: Callable) -> str:
    """'training.train_one' for a function or class of the package."""
    one = inspect.unwrap(one)
    return f"{one.__module__}.{one.__qualname__}".removeprefix("unlearning.")


OTHERS = ("__init__", "__main__", "errors", "files", "methods.own")  # rooms without science


def public() -> set[str]:
    """Names of all public functions of the science rooms: the flat ones and methods/."""
    found = set()
    for room in modules():
        if room and room not in OTHERS and room.split(".")[0] not in WINGS:
            module = importlib.import_module(f"unlearning.{room}")
            found |= {
                name_of(one)
                for name, one in vars(module).items()
                if inspect.isfunction(inspect.unwrap(one) if callable(one) else one)
                and not name.startswith("_")
                and inspect.unwrap(one).__module__ == module.__name__
            }
    return found


def printed(chapter: str) -> list[str]:
    """Names of what a chapter prints: the arguments of show_source, resolved by the chapter's own imports."""
    return shown_by(code_of(chapters.read(chapters.path_of(chapter))))


def shown_by(code: str) -> list[str]:
    tree, scope = ast.parse(code), {}
    imports = [n for n in tree.body if isinstance(n, (ast.Import, ast.ImportFrom))]
    ours = [n for n in imports if "unlearning" in ast.unparse(n) or "panels" in ast.unparse(n)]
    exec(compile(ast.Module(ours, []), "imports", "exec"), scope)
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("show_source")
    ]
    return [name_of(eval(ast.unparse(arg), scope)) for call in calls for arg in call.args]


def test_no_function_is_printed_twice():
    times = Counter(name for chapter in chapters.in_toc() for name in printed(chapter))
    assert not {name: count for name, count in times.items() if count > 1}


def test_every_public_function_of_the_science_is_printed():
    every = public()
    shown = {name for chapter in chapters.in_toc() for name in printed(chapter)}
    assert not every - shown, f"print {sorted(every - shown)} in a chapter"


def test_the_metric_and_the_training_can_be_read():
    shown = {name for chapter in chapters.in_toc() for name in printed(chapter)}
    for room, names in {
        "klom": "margins klom ceiling robust_klom occupancy",
        "uncertainty": "permutation_floor gaussian_floor model_interval point_interval summarize",
        "training": "Recipe seed_of train_one train_stack score",
        "forget_sets": "forget_set principal_components select_points nearest scored_points",
        "networks": "block resnet9",
        "stack": "stack",
        "datasets": "load",
    }.items():
        assert {f"{room}.{name}" for name in names.split()} <= shown


def test_the_reader_of_chapters_sees_calls_and_aliases():
    code = """
from unlearning import klom as metric
from unlearning.page.source import show_source
if True:
    show_source(metric.klom, metric.margins)
"""
    assert shown_by(code) == ["klom.klom", "klom.margins"]
    assert {"training.train_one", "methods.cost"} <= public() and "page.floors.p95" not in public()
