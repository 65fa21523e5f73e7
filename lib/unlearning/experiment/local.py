"""Units done by processes of this machine, one thread each; one worker means this process."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait

import torch

from unlearning.errors import Failed, Refused
from unlearning.experiment.layout import Context, open_context
from unlearning.experiment.plan import Unit
from unlearning.experiment.work import perform

MOST = 1024  # worker processes
_CONTEXT: list[Context] = []  # of a worker process: filled once, by _start_worker


def _start_worker(stop: Connection, arguments: tuple) -> None:
    torch.set_num_threads(1)
    threading.Thread(target=_end_with_run, args=(stop,), daemon=True).start()
    _CONTEXT.append(open_context(*arguments))


def _end_with_run(stop: Connection) -> None:
    """A run that is killed or interrupted takes its workers with it, in the middle of a unit, too."""
    wait([multiprocessing.parent_process().sentinel, stop])
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

    def __init__(self, context: Context, count: int | None):
        count = default_workers(context.device) if count is None else count
        if not 1 <= count <= MOST:
            raise Refused(f"{count} workers: give 1 to {MOST}")
        self.count, self.context = count, context
        self.arguments = (context.preset, context.out, context.root, context.device)
        self.pool: ProcessPoolExecutor | None = None
        self.stop: Connection | None = None

    def __enter__(self) -> "Workers":
        return self

    def submit(self, unit: Unit) -> Future:
        if self.count == 1:
            future: Future = Future()
            future.set_result(perform(unit, self.context))
            return future
        with _loss_told():
            if self.pool:
                return self.pool.submit(_perform_in_worker, unit)
            spawn = multiprocessing.get_context("spawn")
            end, self.stop = spawn.Pipe(duplex=False)
            self.pool = ProcessPoolExecutor(self.count, spawn, _start_worker, (end, self.arguments))
            with (
                _interrupts_ignored()
            ):  # by the workers, which start here: a finished run starts none
                return self.pool.submit(_perform_in_worker, unit)

    def result(self, future: Future) -> float:
        with _loss_told():
            return future.result()

    def __exit__(self, kind: type | None, *_: object) -> None:
        if self.pool:
            if kind is not None:
                self.stop.close()
            self.pool.shutdown(cancel_futures=True)
            self.stop.close()


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Processes started in this block never see Ctrl-C, which is for the run: it ends them itself."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread can say so, and only it is interrupted
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _loss_told() -> Iterator[None]:
    try:
        yield
    except BrokenProcessPool:
        raise WorkerLost(
            "a worker process ended abruptly (out of memory?); use fewer --workers and run the same command again"
        ) from None
