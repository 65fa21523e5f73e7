"""A method in a file of your own, used like the library's: `--method path/to/my_method.py:my_function`.

The function has the signature of every method, (model, forget, retain, config) -> iterator of (epoch, model); see
`unlearning.methods`. The file is kept in the run's folder under a name that carries its hash, so a record can never mean
two different methods, and worker processes read it there.
"""

import ast
import hashlib
import importlib.util
from pathlib import Path

from unlearning.errors import Refused, one_line
from unlearning.methods import METHODS, Method


def named(spec: str) -> tuple[str, bytes]:
    """("FUNCTION@HASH", the file's bytes) of FILE.py:FUNCTION. Refused when there is no such file or function."""
    file, _, function = spec.rpartition(":")
    if not file.endswith(".py") or not function.isidentifier():
        raise Refused(
            f"method {spec!r}: give path/to/file.py:function, or one of {', '.join(METHODS)}"
        )
    try:
        code = Path(file).read_bytes()
        tree = ast.parse(code)
    except (OSError, SyntaxError, ValueError) as error:
        raise Refused(
            f"method {spec}: {file} cannot be read as Python ({one_line(error)})"
        ) from None
    known = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    if function not in known:
        raise Refused(
            f"method {spec}: {file} has no function {function!r}; it has {', '.join(known) or 'none'}"
        )
    return f"{function}@{hashlib.sha256(code).hexdigest()[:8]}", code


def register(path: Path) -> str:
    """Load a kept file (FUNCTION@HASH.py) and enter its function into METHODS; return its name there.

    Refused when the file does not run, or is not the one that its name promises.
    """
    name, code = path.stem, path.read_bytes()
    function, _, digest = name.partition("@")
    if hashlib.sha256(code).hexdigest()[:8] != digest:
        raise Refused(f"{path}: changed since the run began; remove it and name your file again")
    spec = importlib.util.spec_from_file_location(f"own_{function}_{digest}", path)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # a person's own code: whatever it raises is told on one line
        raise Refused(f"{path}: does not run ({type(error).__name__}: {one_line(error)})") from None
    METHODS[name] = Method(getattr(module, function), function.replace("_", " "), "X", passes=None)
    return name
