"""Units done by processes of this machine, one thread each; one worker means this process."""

import multiprocessing
import os
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import torch

from unlearning.errors import Failed, Refused
from unlearning.experiment.layout import Context, open_context
from unlearning.experiment.plan import Unit
from unlearning.experiment.work import perform

_CONTEXT: list[Context] = []  # of a worker process: filled once, by _start_worker


def _start_worker(arguments: tuple) -> None:
    torch.set_num_threads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _CONTEXT.append(open_context(*arguments))


def _end_with_parent() -> None:
    """A run that is killed takes its workers with it: they would wait for work for ever."""
    multiprocessing.parent_process().join()
    os._exit(1)


def _perform_in_worker(unit: Unit) -> float:
    return perform(unit, _CONTEXT[0])


def default_workers(device: str) -> int:
    """One process for each CPU core, or one for a GPU."""
    return (
        1
        if device.startswith("cuda")
        else len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else 1
    )


class WorkerLost(Failed):
    """A worker process ended without an answer."""


class Workers:
    """Worker processes; one worker means this process. A thin shell so that both look alike."""

    def __init__(self, context: Context, count: int):
        if count < 1:
            raise Refused(f"{count} workers: give at least 1")
        self.count, self.context = count, context
        self.arguments = (context.preset, context.out, context.root, context.device)
        self.pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> "Workers":
        return self

    def submit(self, unit: Unit) -> object:
        from concurrent.futures import Future

        if (
            self.count > 1 and self.pool is None
        ):  # started at the first unit: a finished run starts none
            spawn = multiprocessing.get_context("spawn")
            self.pool = ProcessPoolExecutor(self.count, spawn, _start_worker, (self.arguments,))
        if self.pool:
            return self.pool.submit(_perform_in_worker, unit)
        future: Future = Future()
        future.set_result(perform(unit, self.context))
        return future

    def result(self, future: object) -> float:
        try:
            return future.result()
        except BrokenProcessPool:
            raise WorkerLost(
                "a worker process ended abruptly (out of memory?); use fewer --workers and run the same "
                "command again"
            ) from None

    def __exit__(self, *_: object) -> None:
        if self.pool:
            self.pool.shutdown(cancel_futures=True)
