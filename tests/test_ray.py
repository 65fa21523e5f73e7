"""Units on two real Ray nodes of this machine: the local run's bits, a killed worker, an exception, nothing left over."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

import test_sweep
from test_plan import margins_of, numbers
from unlearning.__main__ import main
from unlearning.errors import Failed, Refused
from unlearning.experiment import on_ray, presets, runner
from unlearning.files import ROOT
from unlearning.methods import Config

THERE = importlib.util.find_spec("ray") is not None
root = test_sweep.root  # the fixture: a repository with one small chapter
needs_ray = pytest.mark.skipif(not THERE, reason="Ray is not installed (extra `ray`)")
TINY = replace(
    presets.SMOKE,
    models=4,  # stacks of 2
    forget_sets=("random-5",),
    configs=(Config("ga", 0.05, (1,)),),
    retrain_epochs=(1,),
)


def children() -> set[int]:
    return {p.pid for p in psutil.Process().children(recursive=True)}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Two nodes of one CPU each; afterwards none of their processes is left."""
    if not THERE:
        pytest.skip("Ray is not installed (extra `ray`)")
    before = children()
    with pytest.MonkeyPatch.context() as patch:
        here = [str(ROOT / "lib"), str(ROOT / "book"), str(ROOT / "tests")]
        patch.setenv("PYTHONPATH", os.pathsep.join(here))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        from ray.cluster_utils import Cluster

        node = {"num_cpus": 1, "object_store_memory": 100_000_000, "include_dashboard": False}
        nodes = Cluster(initialize_head=True, head_node_args=node)
        nodes.add_node(num_cpus=1, object_store_memory=100_000_000)
        started = [psutil.Process(pid) for pid in children() - before]
        yield nodes.address
        nodes.shutdown()
        psutil.wait_procs(started, timeout=20)
        left = [p for p in started if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
        assert not left


def only_once(mark: Path) -> bool:
    """Whether nobody asked this before, on any node."""
    try:
        mark.touch(exist_ok=False)
        return True
    except FileExistsError:
        return False


def killed_once(mark: str) -> int:
    if only_once(Path(mark)):
        os.kill(os.getpid(), signal.SIGKILL)
    return 7


def slow(mark: str) -> None:
    Path(mark).write_text(str(os.getpid()))
    time.sleep(600)


@needs_ray
def test_an_experiment_equals_the_local_run_bit_for_bit(cluster, tmp_path):
    usual = runner.run(TINY, tmp_path / "usual", workers=1, report=None)
    found = runner.run(TINY, tmp_path / "ray", on=f"ray={cluster}", report=None)
    assert len(found) == len(usual) == 3 and numbers(found) == numbers(usual)
    assert margins_of(tmp_path / "ray") == margins_of(tmp_path / "usual")


@needs_ray
def test_a_worker_killed_in_the_middle_of_a_unit_is_replaced(cluster, tmp_path):
    """A watcher kills the first process that works on a unit, while it trains; the records are the local run's."""
    p = replace(TINY, recipe=replace(TINY.recipe, epochs=12, peak_epoch=2.0))
    usual = runner.run(p, tmp_path / "usual", workers=1, report=None)
    watcher = subprocess.Popen([sys.executable, "-c", WATCHER], stdout=subprocess.PIPE, text=True)
    found = runner.run(p, tmp_path / "ray", on=f"ray={cluster}", report=None)
    assert watcher.communicate(timeout=60)[0].strip() == "killed"
    assert numbers(found) == numbers(usual)


# Ray names a worker process after the task that it does.
WATCHER = """
import os, psutil, time
end = time.time() + 50
while time.time() < end:
    for p in psutil.Process(os.getppid()).children(recursive=True):  # this test's own alone
        try:
            if p.pid != os.getpid() and p.cmdline()[:1] == ["ray::_perform"]:
                p.kill()
                raise SystemExit(print("killed"))
        except psutil.Error:
            pass
    time.sleep(0.05)
"""


@needs_ray
def test_a_call_is_repeated_when_its_worker_dies(cluster, tmp_path):
    with on_ray.Cluster(f"ray={cluster}") as found:
        assert found.size == 2
        assert found.result(found.submit(killed_once, str(tmp_path / "mark"))) == 7


@needs_ray
def test_an_exception_is_listed_and_the_others_go_on(cluster, tmp_path):
    """The weights of one stack are damaged: its unit is named, and the other one is done."""
    runner.run(replace(TINY, configs=()), tmp_path, on=f"ray={cluster}", report=None)
    damaged = tmp_path / "weights" / "0000.pt"
    damaged.write_bytes(b"damaged")
    lines = []
    with pytest.raises(Failed, match="1 of 2 units failed .*ga.*models 0-1"):
        runner.run(TINY, tmp_path, on=f"ray={cluster}", report=lines.append)
    assert [line for line in lines if line.startswith("FAILED random-5/ga")]
    assert [line for line in lines if "ga" in line and "models 2-3  " in line]


def comparable(runs: list) -> list:
    return [(r.folder, r.parameters, repr(r.numbers), r.verdicts, r.failure) for r in runs]


@needs_ray
def test_a_sweep_equals_the_local_one_and_a_killed_worker_is_replaced(cluster, root, tmp_path):
    """n = 7 raises: it is listed. A worker that dies while a kernel runs leaves no kernel and loses no run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{ROOT / 'lib'}{os.pathsep}{ROOT / 'book'}")
        usual = test_sweep.run(root, tmp_path / "usual", "n=1,7")
    gate = root / "GATE"
    gate.unlink()  # n = 4 and more wait for it
    watcher = subprocess.Popen(
        [sys.executable, "-c", SWEEP_WATCHER, str(tmp_path / "ray"), str(gate)],
        stdout=subprocess.PIPE,
        text=True,
    )
    found = test_sweep.run(root, tmp_path / "ray", "n=1,7", on=f"ray={cluster}")
    assert watcher.communicate(timeout=60)[0].split() == ["killed", "gone"]
    assert comparable(found) == comparable(usual) and [bool(r.failure) for r in found] == [0, 0, 1]
    assert not list((tmp_path / "ray").glob("*.part"))


# Kills the worker whose kernel waits for the gate, sees the kernel end too, and opens the gate.
SWEEP_WATCHER = """
import os, psutil, sys, time
from pathlib import Path
end = time.time() + 90
def workers():
    for p in psutil.Process(os.getppid()).children(recursive=True):  # this test's own alone
        try:
            if p.cmdline()[:1] == ["ray::_perform_on_ray"]:
                yield p
        except psutil.Error:
            pass
while time.time() < end:
    for p in workers():
        try:
            kernels = [c for c in p.children() if "ipykernel_launcher" in " ".join(c.cmdline())]
            old = kernels and time.time() - kernels[0].create_time() > 6
        except psutil.NoSuchProcess:
            continue
        if old:
            p.kill()
            print("killed")
            psutil.wait_procs(kernels, timeout=30)
            print("left" if any(k.is_running() for k in kernels) else "gone")
            Path(sys.argv[2]).touch()
            raise SystemExit
    time.sleep(0.2)
Path(sys.argv[2]).touch()
"""


@needs_ray
def test_leaving_ends_what_still_runs(cluster, tmp_path):
    mark = tmp_path / "pid"
    with pytest.raises(KeyboardInterrupt), on_ray.Cluster(f"ray={cluster}") as found:
        found.submit(slow, str(mark))
        while not (mark.exists() and mark.read_text()):
            time.sleep(0.05)
        raise KeyboardInterrupt
    worker = int(mark.read_text())
    end = time.monotonic() + 30
    while psutil.pid_exists(worker) and time.monotonic() < end:
        time.sleep(0.1)
    assert not psutil.pid_exists(worker)


@needs_ray
def test_an_address_without_a_cluster_is_refused(tmp_path):
    with pytest.raises(Refused, match="no Ray cluster at 127.0.0.1:1"):
        runner.run(TINY, tmp_path, on="ray=127.0.0.1:1", report=None)


@pytest.mark.hostile
@pytest.mark.parametrize("on", ["ray=", "rays", "=", "local=3", "RAY"])
def test_other_words_are_refused(on, tmp_path):
    with pytest.raises(Refused, match="--on"):
        runner.run(TINY, tmp_path, on=on)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "words",
    [["experiment", "--preset", "smoke"], ["sweep", "one_dimension", "-p", "lam=0.02,0.1"]],
)
def test_without_ray_one_line_says_what_to_install(words, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(on_ray.importlib.util, "find_spec", lambda name: None)
    assert main([*words, "--on", "ray", "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "pip install 'unlearning[ray]'" in said
    assert not (tmp_path / "out").exists()


def test_ray_is_never_imported_without_the_flag():
    code = "import sys, unlearning.experiment.runner, unlearning.build.sweep; sys.exit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
