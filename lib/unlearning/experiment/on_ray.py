"""Units done on a Ray cluster: `--on ray[=ADDRESS]` of `unlearning experiment` and `unlearning sweep`.

All nodes see the same output and data folders (a shared file system) and have this library installed with its extra
`ray`, which is imported with that flag only. A unit has one thread, and one CPU or one GPU of the cluster to itself; one
whose worker or node dies is done again. Results equal the local run's bit for bit on one kind of machine.
"""

import importlib.util
import os
import socket
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import torch

from unlearning.datasets import find_root
from unlearning.errors import Failed, Refused, one_line
from unlearning.experiment.layout import Context, open_context
from unlearning.experiment.plan import Unit
from unlearning.experiment.work import perform

HELP = (
    "units on a Ray cluster (default: $RAY_ADDRESS, else this machine) whose nodes share the folders; needs "
    "unlearning[ray]"
)
RETRIES = 3  # of a unit whose worker died
STORE = 100_000_000  # bytes of a local cluster's object store: units exchange files, not objects
_CONTEXT: list[Context] = []  # of a worker process, which serves one run: filled once


class UnitFailed(Failed):
    """A unit raised an exception, or lost its worker too often; the others can go on."""


def address_of(on: str) -> str:
    """The address in `ray` or `ray=ADDRESS`: the one given, else $RAY_ADDRESS, else "local" (this machine alone).

    Raises Refused for another form, and where Ray is not installed.
    """
    name, given, address = on.partition("=")
    if name != "ray" or (given and not address):
        raise Refused(f"--on {on}: give ray, or ray=ADDRESS, e.g. ray=10.0.0.1:6379")
    if importlib.util.find_spec("ray") is None:
        raise Refused(f"--on {on}: Ray is not installed; pip install 'unlearning[ray]'")
    return address or os.environ.get("RAY_ADDRESS") or "local"


def _check_reachable(address: str) -> None:
    """Refused for HOST:PORT at which nothing listens: Ray itself would wait for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdigit():  # "local", "auto"
        return
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except OSError as error:
        raise Refused(f"no Ray cluster at {address}: {one_line(error)}") from None


class Cluster:
    """Calls of functions on a cluster, as futures; on leaving it, what still runs there is ended."""

    def __init__(self, on: str, gpu: bool = False):
        self.address, self.gpu = address_of(on), gpu
        self.pending: dict[Future, object] = {}  # future -> Ray's reference

    def __enter__(self) -> "Cluster":
        _check_reachable(self.address)
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        import ray

        own = {"object_store_memory": STORE, "include_dashboard": False}
        try:
            ray.init(
                self.address,
                log_to_driver=False,
                logging_level="error",
                **own if self.address == "local" else {},
            )
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise Refused(f"no Ray cluster at {self.address}: {one_line(error)}") from None
        self.size = int(ray.cluster_resources().get("GPU" if self.gpu else "CPU", 0))
        if not self.size:
            ray.shutdown()
            raise Refused(
                f"the Ray cluster at {self.address} has no {'GPU' if self.gpu else 'CPU'}"
            )
        return self

    def submit(self, function: Callable, *arguments: object) -> Future:
        import ray

        task = ray.remote(num_cpus=1, num_gpus=int(self.gpu), max_retries=RETRIES)(function)
        reference = task.remote(*arguments)
        future = reference.future()
        self.pending[future] = reference
        return future

    def result(self, future: Future) -> object:
        """What the function returned. Raises UnitFailed for its exception, or when it lost its worker too often."""
        import ray

        self.pending.pop(future, None)
        try:
            return future.result()
        except ray.exceptions.RayTaskError as error:
            cause = error.cause or error
            raise UnitFailed(f"{type(cause).__name__}: {one_line(cause)}") from None
        except ray.exceptions.RayError as error:
            raise UnitFailed(f"lost {RETRIES + 1} workers: {one_line(error)}") from None

    def __exit__(self, *_: object) -> None:
        import ray

        for reference in self.pending.values():
            ray.cancel(reference, force=True)
        ray.shutdown()


class Workers:
    """A cluster as the runner of experiments sees it."""

    def __init__(self, context: Context, count: int | None, on: str = "ray"):
        if context.device.startswith("cuda:"):
            raise Refused(f"device {context.device}: on Ray each unit is given its GPU; say cuda")
        if count is not None and count < 1:
            raise Refused(f"{count} workers: give at least 1")
        self.cluster, self.given = Cluster(on, context.device == "cuda"), count
        # absolute: workers start elsewhere, with another environment
        folders = Path(context.out).absolute(), str(find_root(context.root).absolute())
        self.arguments = (context.preset, *folders, context.device)

    def __enter__(self) -> "Workers":
        size = self.cluster.__enter__().size
        self.count = min(self.given or size, size)
        return self

    def submit(self, unit: Unit) -> Future:
        return self.cluster.submit(_perform, unit, self.arguments)

    def result(self, future: Future) -> float:
        return self.cluster.result(future)

    def __exit__(self, *error: object) -> None:
        self.cluster.__exit__(*error)


def _perform(unit: Unit, arguments: tuple) -> float:
    torch.set_num_threads(1)
    if not _CONTEXT:
        _CONTEXT.append(open_context(*arguments))
    return perform(unit, _CONTEXT[0])
