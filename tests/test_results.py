"""Records survive crashes, concurrency and full disks; provenance says what it must."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unlearning import files
from unlearning.errors import Refused
from unlearning.experiment import provenance, results

RECORD = {
    "dataset": "digits",
    "preset": "smoke",
    "forget_set": "random-5",
    "method": "ga",
    "configuration": {"lr": 0.1},
    "epoch": 1,
    "models": 4,
    "value": 1.5,
    "provenance": {"scoring_code": "0"},
}


def test_what_is_appended_is_read_back_in_order(tmp_path: Path):
    path = tmp_path / "new" / "results.jsonl"
    for value in (1, 2, 3):
        results.append(path, RECORD | {"value": value})
    assert [r["value"] for r in results.read(path)] == [1, 2, 3]
    assert path.read_text().count("\n") == 3
    assert results.read(tmp_path / "absent.jsonl") == []


@given(cut=st.integers(0, 400))
@settings(max_examples=60, deadline=None)
def test_a_file_cut_anywhere_keeps_its_whole_lines(
    tmp_path_factory: pytest.TempPathFactory, cut: int
):
    path = tmp_path_factory.mktemp("cut") / "r.jsonl"
    for value in (1, 2):
        results.append(path, RECORD | {"value": value})
    whole = path.read_bytes()
    path.write_bytes(whole[:cut])
    lines = [json.loads(line) for line in whole.split(b"\n")[:-1]]
    first = len(whole.split(b"\n")[0])
    kept = lines[
        : (cut >= first) + (cut >= len(whole) - 1)
    ]  # a line that only lacks its end-of-line is whole
    assert results.read(path) == kept
    results.append(path, RECORD | {"value": 3})
    assert results.read(path) == [*kept, RECORD | {"value": 3}]


def test_a_bad_line_in_the_middle_is_an_error_that_names_it(tmp_path: Path):
    path = tmp_path / "r.jsonl"
    path.write_text('{"a": 1}\nnot json\n{"a": 2}\n')
    with pytest.raises(Refused, match="line 2 is not a JSON object"):
        results.read(path)


def test_values_that_json_lacks_are_refused_and_leave_the_file(tmp_path: Path):
    path = tmp_path / "r.jsonl"
    results.append(path, RECORD)
    with pytest.raises(ValueError):
        results.append(path, RECORD | {"value": float("nan")})
    assert results.read(path) == [RECORD]


def _append_many(path: Path, who: int) -> None:
    for k in range(20):
        results.append(path, RECORD | {"who": who, "k": k, "padding": "x" * 3000})


def test_concurrent_writers_do_not_mix_lines(tmp_path: Path):
    path = tmp_path / "r.jsonl"
    writers = [
        threading.Thread(target=_append_many, args=(path, who)) for who in range(3)
    ]  # a lock for each open file
    [w.start() for w in writers], [w.join() for w in writers]
    found = results.read(path)
    assert sorted((r["who"], r["k"]) for r in found) == [
        (w, k) for w in range(3) for k in range(20)
    ]


def test_a_full_disk_is_an_oserror_that_leaves_the_file_as_it_was(tmp_path: Path):
    path = tmp_path / "r.jsonl"
    code = (
        "import resource, sys; from pathlib import Path; from unlearning.experiment import results\n"
        "results.append(Path(sys.argv[1]), {'k': 1})\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))\n"  # a file may not grow beyond 500 bytes
        "try: results.append(Path(sys.argv[1]), {'k': 'x' * 2000})\n"
        "except OSError as error: print(type(error).__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "OSError\n" and path.read_text() == '{"k": 1}\n'


def test_a_failed_array_write_leaves_the_old_file_and_no_remains(tmp_path: Path):
    path = tmp_path / "a.npz"
    files.save(path, x=np.arange(3))

    def fail(file: object) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        files.write_whole(path, fail)
    assert np.load(path)["x"].tolist() == [0, 1, 2] and [p.name for p in tmp_path.iterdir()] == [
        "a.npz"
    ]


def test_latest_and_collect(tmp_path: Path):
    for k, name in enumerate(("b/one.jsonl", "c/two.jsonl")):
        results.append(tmp_path / name, RECORD | {"value": k})
        results.append(tmp_path / name, RECORD | {"forget_set": f"set{k}", "value": k})
    found = results.collect(tmp_path, dataset="digits")
    assert [(r["forget_set"], r["value"]) for r in found] == [
        ("random-5", 1),
        ("set0", 0),
        ("set1", 1),
    ]
    assert results.collect(tmp_path, forget_set="set1")[0]["value"] == 1
    assert results.collect(tmp_path, method="gda") == []
    results.append(tmp_path / "d.jsonl", RECORD | {"value": 7, "seed": 5})
    assert len(results.collect(tmp_path)) == 4, "another seed is another experiment"
    assert [r["value"] for r in results.collect(tmp_path, seed=5)] == [7]


def test_identity_ignores_the_order_of_settings():
    a = RECORD | {"configuration": {"lr": 1, "batch": 2}}
    assert results.identity(a) == results.identity(
        RECORD | {"configuration": {"batch": 2, "lr": 1}}
    )
    assert results.identity(a) != results.identity(a | {"epoch": 2})


def test_only_one_process_holds_a_folder_and_a_dead_one_does_not(tmp_path: Path):
    code = (
        "import sys, time; from pathlib import Path; from unlearning import files\n"
        "with files.only_one(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(Refused, match="another run is writing there"), files.only_one(tmp_path):
            pass
    finally:
        other.kill()
        other.wait()
        other.stdout.close()
    with files.only_one(tmp_path):
        pass


def test_code_hash_sees_code_but_not_comments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path)

    def digest(text: str, name: str = "m") -> str:
        (tmp_path / "m.py").write_text(text)
        provenance.code_hash.cache_clear()
        return provenance.code_hash((name,))

    base = digest(
        '"""Doc."""\ndef f(x):\n    """Doc."""\n    return x + 1\n\ndef g():\n    return 2\n'
    )
    assert (
        digest("# comment\ndef f(x):\n    return (x\n            + 1)\ndef g(): return 2\n") == base
    )
    assert digest("def f(x):\n    return x + 2\ndef g(): return 2\n") != base
    only_f = digest("def f(x): return x\ndef g(): return 2\n", "m:f")
    assert digest("def f(x): return x\ndef g(): return 3\n", "m:f") == only_f
    assert digest("def f(x): return -x\ndef g(): return 2\n", "m:f") != only_f
    provenance.code_hash.cache_clear()


def test_provenance_is_complete_and_json():
    found = provenance.provenance("cpu")
    assert json.loads(json.dumps(found)) == found
    assert found["torch"] == __import__("torch").__version__ and found["cuda"] == "none"
    assert len(found["training_code"]) == 12 and found["training_code"] != found["scoring_code"]
    folder = provenance.PACKAGE
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True)
    assert found["commit"] == (head.stdout.strip() if head.returncode == 0 else "unknown")


def test_the_experiment_path_imports_torch_numpy_and_scipy_only():
    code = (
        "import sys; from unlearning.experiment import packing, runner, score; "
        "print(sorted({m.partition('.')[0] for m in sys.modules} & {'torchvision', 'sklearn', 'pandas', "
        "'matplotlib', 'nbformat', 'yaml', 'PIL', 'huggingface_hub'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
