"""`unlearning sweep`: one chapter at many parameters, with an index of what came out.

    DIR/index.html, index.csv    all runs: parameters, numbers, verdicts; written again after every run
    DIR/RUN/                     NAME.ipynb, results.json, thumbnail.svg, html/: as `unlearning run` writes them
    DIR/RUN/failure.json         instead of results.json: the cell and the exception of a run that failed
    DIR/_static/                 styles and scripts of all runs' pages, once

RUN is a hash of the chapter's key (`build.keys`: its text, the library it reaches, versions) and all its parameters, so
what is complete is never run again and what was made by other code is never mixed in. A run's folder appears whole, by
a rename; until then its name ends in .part, and what a killed sweep left so is removed by the next one.
"""

import argparse
import filecmp
import hashlib
import json
import multiprocessing
import os
import re
import shutil
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Collection
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import nbformat
import psutil
from nbformat import NotebookNode

from unlearning.build import chapters, keys, record, single, sweep_index, sweep_points
from unlearning.build.execute import ChapterFailed, prepare_environment
from unlearning.build.sweep_index import Run
from unlearning.build.values import Parameter
from unlearning.errors import Failed, Refused, one_line
from unlearning.experiment import on_ray
from unlearning.files import ROOT, only_one, write_whole
from unlearning.page import ledger

_FOLDER = re.compile(r"[0-9a-f]{16}")  # of a run
_LEFTOVER = re.compile(r"[0-9a-f]{16}(\.\w+)?\.part|scratch-\w+\.part|\.\S+\.part")


@dataclass(frozen=True)
class Chapter:
    """What all runs of a sweep share."""

    name: str
    root: Path  # of the repository
    notebook: NotebookNode  # without outputs
    known: list[Parameter]
    key: str  # of the chapter at no particular parameters

    def folder(self, parameters: dict[str, object]) -> str:
        """The name of a run's folder: 16 hexadecimal digits."""
        text = json.dumps([self.key, parameters], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def defaults(self) -> dict[str, object]:
        return {p.name: p.default for p in self.known}

    @property
    def title(self) -> str:
        prose = "\n".join(c.source for c in self.notebook.cells if c.cell_type == "markdown")
        head = re.search(r"^# (.+)$", prose, re.M)
        return head[1] if head else self.name


@dataclass(frozen=True)
class Work:
    """What a worker process needs for any run."""

    chapter: Chapter
    out: Path  # absolute: papermill changes the working directory while a chapter runs
    html: bool  # whether runs get a page


def opened(name: str, root: Path = ROOT) -> Chapter:
    """A chapter as it is now. Raises Refused for an unknown one or one that breaks the rules of `chapters`."""
    source = chapters.path_of(name, root)
    notebook = chapters.read(source)
    return Chapter(
        source.stem, root, notebook, chapters.parameters(source), _key(source, notebook, root)
    )


def _key(source: Path, notebook: NotebookNode, root: Path) -> str:
    facts = ledger.collect(root / "_build" / "executed") if keys.reads_verdicts(notebook) else []
    others = [fact for fact in facts if fact["chapter"] != source.stem]
    return keys.key(source.read_text(), notebook, {}, root, others)


# --- what a folder holds ---------------------------------------------------------------------------------------------


def held(chapter: Chapter, out: Path) -> tuple[dict[str, Run], int]:
    """(the runs in `out` that this chapter made as it is now, by folder; the number of runs made by other code)."""
    found, others = {}, 0
    for folder in sorted(out.iterdir()) if out.is_dir() else []:
        if _FOLDER.fullmatch(folder.name) and (run := _read(chapter.name, folder)):
            if chapter.folder(run.parameters) == folder.name:
                found[folder.name] = run
            else:
                others += 1
    return found, others


def _read(name: str, folder: Path) -> Run | None:
    """A run as its folder tells it; None for a folder without a readable record, which is no run."""
    failed = (folder / "failure.json").exists()
    try:
        told = json.loads((folder / ("failure.json" if failed else "results.json")).read_text())
        small = folder / "thumbnail.svg"
        return Run(
            folder.name,
            told["parameters"],
            told.get("numbers", {}),
            told.get("verdicts", []),
            told.get("failure", ""),
            (folder / "html" / "book" / f"{name}.html").exists(),
            small.read_text() if small.exists() else "",
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _settle(chapter: Chapter, out: Path) -> None:
    """Refused unless `out` is new, empty, or a sweep of this chapter."""
    mark = out / "sweep.json"
    if mark.exists():
        try:
            told = json.loads(mark.read_text())["chapter"]
        except (ValueError, KeyError, TypeError):
            raise Refused(f"{mark} cannot be read: choose another --out") from None
        if told != chapter.name:
            raise Refused(
                f"{out} holds a sweep of {told}, not of {chapter.name}: choose another --out"
            )
    elif out.exists() and (not out.is_dir() or {p.name for p in out.iterdir()} - {"lock"}):
        raise Refused(f"{out} is not empty and holds no sweep: choose another --out")


# --- one run ---------------------------------------------------------------------------------------------------------


# Papermill changes the working directory of its whole process, so runs at a time need a process each.

_WORK: list[Work] = []  # of a worker process: filled once, by _start_worker


def _start_worker(work: Work) -> None:
    os.setsid()  # Ctrl-C is for the sweep: it ends its workers, a chapter's kernel never takes it for a failure
    # what an interrupted run had open ends with the process; kernels, which inherit the environment, do tell
    warnings.simplefilter("ignore", ResourceWarning)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _WORK.append(work)


def _end_with_parent() -> None:
    """A sweep that is killed takes its workers with it, and their kernels watch them."""
    multiprocessing.parent_process().join()
    os._exit(1)


def _perform(parameters: dict[str, object], complete: bool) -> tuple[Run, str]:
    """Execute a point unless it is complete, render its page if it has none: (the run, why it has no page)."""
    work = _WORK[0]
    name, folder = work.chapter.name, work.out / work.chapter.folder(parameters)
    part, scratch, old = (
        folder.with_name(f"{folder.name}{end}.part") for end in ("", ".page", ".old")
    )
    at = folder if complete else part
    if not complete:
        part.mkdir()
        _execute(work.chapter, parameters, part)
    rendered = work.html and not (at / "failure.json").exists()
    said = _add_page(work, at, scratch) if rendered else ""
    if not complete:
        if folder.exists():  # a failed run that was tried again, or a damaged folder
            folder.rename(old)
        part.rename(folder)
    for leftover in (scratch, old):
        shutil.rmtree(leftover, ignore_errors=True)
    return _read(name, folder), said


def _perform_on_ray(work: Work, parameters: dict[str, object], complete: bool) -> tuple[Run, str]:
    """The same in a worker of a Ray cluster, which may do again what another one left unfinished when it died."""
    folder = work.out / work.chapter.folder(parameters)
    for left in work.out.glob(f"{folder.name}*.part"):
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory() as scratch:
        prepare_environment(Path(scratch))
        _WORK[:] = [work]
        return _perform(parameters, complete and folder.exists())


def _execute(chapter: Chapter, parameters: dict[str, object], part: Path) -> None:
    """Run the cells in the folder `part`; leaves results.json and a thumbnail there, or failure.json."""
    values = {k: v for k, v in parameters.items() if v != chapter.defaults[k]}
    try:
        done, _ = single.carry_out(
            chapter.name, chapter.notebook, parameters, values, part, chapter.root
        )
        pictures = record.pictures(done)
        small = sweep_index.thumbnail(pictures[0]) if pictures else ""
        (part / "thumbnail.svg").write_text(small)
    except ChapterFailed as error:
        told = {"chapter": chapter.name, "parameters": parameters, "failure": one_line(error)}
        (part / "failure.json").write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    if (
        _key(chapters.path_of(chapter.name, chapter.root), chapter.notebook, chapter.root)
        != chapter.key
    ):
        raise Failed(
            f"chapter {chapter.name}: the library or the results changed while it ran; start the sweep again"
        )


def _add_page(work: Work, part: Path, scratch: Path) -> str:
    """Render the executed notebook in `part` to part/html; returns what went wrong, "" if nothing did."""
    name = work.chapter.name
    scratch.mkdir()
    try:
        executed = nbformat.read(part / f"{name}.ipynb", 4)
        told = json.loads((part / "results.json").read_text())
        html = single.page(name, executed, told["parameters"], work.chapter.root, scratch)
    except Failed as error:
        return one_line(error)
    with only_one(work.out / "_static", wait=True):
        share(html / "_static", work.out / "_static")
    lighten(html, name)
    shutil.rmtree(part / "html", ignore_errors=True)
    html.rename(part / "html")
    return ""


def share(static: Path, shared: Path) -> None:
    """Move a page's styles and scripts to the folder that all pages use: what is new there, and what changed."""
    for file in (path for path in static.rglob("*") if path.is_file()):
        target = shared / file.relative_to(static)
        if not target.exists() or not filecmp.cmp(file, target, shallow=False):
            target.parent.mkdir(parents=True, exist_ok=True)
            file.replace(target)
    shutil.rmtree(static)


def lighten(html: Path, name: str) -> None:
    """Let the pages of DIR/RUN/html use DIR/_static, and the executed notebook in DIR/RUN instead of a copy of it."""
    (html / "_sources" / "book" / f"{name}.ipynb").unlink(missing_ok=True)
    for page in html.rglob("*.html"):
        text = page.read_text()
        text = re.sub(r'((?:href|src)="(?:\.\./)*)_static/', r"\1../../_static/", text)
        text = re.sub(
            rf'(href="(?:\.\./)*)_sources/book/{re.escape(name)}\.ipynb"',
            rf'\1../{name}.ipynb"',
            text,
        )
        page.write_text(text)


# --- the sweep -------------------------------------------------------------------------------------------------------


def sweep(
    chapter: Chapter,
    points: list[dict[str, object]],
    out: Path,
    *,
    named: Collection[str] = (),
    jobs: int | None = 1,
    html: bool = True,
    retry: bool = False,
    on: str = "",
    report: Callable[[str], None] = print,
) -> list[Run]:
    """Run what is missing of the points and of the default parameters; return their runs, failed ones included.

    named: parameters that the index shows even if they do not vary. jobs: runs at a time. html: render a page for each
    run. retry: run failed points again. on: ray or ray=ADDRESS, to run them on a cluster. Raises Refused for a folder of another kind or one in use, Failed when the
    chapter's code changes meanwhile, OSError (full disk, …); complete runs stay. On any of these, and on Ctrl-C, the
    kernels of the runs in flight are ended.
    """
    _settle(chapter, out)
    with only_one(out):
        clean(out)
        told = json.dumps({"chapter": chapter.name}) + "\n"
        write_whole(out / "sweep.json", lambda file: file.write(told.encode()))
        wanted = {chapter.folder(p): p for p in [chapter.defaults, *points]}
        found, others = held(chapter, out)
        todo = [f for f in wanted if _unfinished(found.get(f), html, retry)]
        report(
            f"{chapter.name}: {len(wanted)} runs, the default parameters' among them; {len(todo)} to do, "
            + (
                f"{min(jobs, len(todo))} at a time"
                if jobs
                else "as many at a time as the cluster has CPUs"
            )
        )
        clock = Clock(len(todo), report)

        def write_index() -> None:
            runs = [found[f] for f in wanted if f in found]
            runs += [run for f, run in found.items() if f not in wanted]
            reference = chapter.defaults not in points
            table = sweep_index.tabulate(chapter.name, chapter.known, runs, named, reference)
            _write_index(chapter, out, table, len(wanted), others)

        def done(folder: str, result: tuple[Run, str]) -> None:
            found[folder], said = result
            write_index()
            clock.finished(sweep_points.said(wanted[folder], chapter.defaults), *result)

        write_index()
        home = out.absolute()  # kernels start elsewhere
        with tempfile.TemporaryDirectory(dir=home, prefix="scratch-", suffix=".part") as scratch:
            prepare_environment(Path(scratch))
            work = Work(chapter, home, html)
            tasks = {f: (wanted[f], f in found and not found[f].failure) for f in todo}
            _run_all(work, tasks, jobs, done) if not on else _run_on_ray(
                work, tasks, jobs, done, on
            )
    return [found[folder] for folder in wanted]


def _unfinished(run: Run | None, html: bool, retry: bool) -> bool:
    """Whether there is anything left to do for a point."""
    if run is None or run.failure:
        return run is None or retry
    return html and not run.page


def clean(out: Path) -> None:
    """Remove what killed runs left unfinished."""
    for path in out.iterdir():
        if _LEFTOVER.fullmatch(path.name):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _run_all(
    work: Work,
    tasks: dict[str, tuple[dict[str, object], bool]],
    jobs: int,
    done: Callable[[str, tuple[Run, str]], None],
) -> None:
    """Perform the tasks side by side and call done(folder, result) for each, here; whatever ends it ends all of it."""
    if not tasks:
        return
    others = set(multiprocessing.active_children())
    spawn = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(jobs, len(tasks)), spawn, _start_worker, (work,))
    try:
        futures: dict[Future, str] = {pool.submit(_perform, *t): f for f, t in tasks.items()}
        running = set(futures)
        while running:
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                done(futures[future], future.result())
        pool.shutdown()
    except BaseException as error:
        _end(set(multiprocessing.active_children()) - others)
        pool.shutdown(cancel_futures=True)
        clean(work.out)
        if isinstance(error, BrokenProcessPool):
            raise Failed(
                "a worker process ended abruptly (out of memory?); use fewer --jobs and run the same command again"
            ) from None
        raise


def _run_on_ray(
    work: Work,
    tasks: dict[str, tuple[dict[str, object], bool]],
    jobs: int | None,
    done: Callable[[str, tuple[Run, str]], None],
    on: str,
) -> None:
    """The same on a Ray cluster; a run that loses its workers stops nobody, and is told at the end."""
    lost, waiting, running = [], list(tasks), {}
    try:
        with on_ray.Cluster(on) as cluster:
            most = min(jobs or cluster.size, cluster.size)
            while waiting or running:
                while waiting and len(running) < most:
                    folder = waiting.pop(0)
                    future = cluster.submit(_perform_on_ray, work, *tasks[folder])
                    running[future] = folder
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    folder = running.pop(future)
                    try:
                        done(folder, cluster.result(future))
                    except on_ray.UnitFailed as error:
                        lost.append(f"{folder}: {one_line(error)}")
    finally:
        clean(work.out)
    if lost:
        raise Failed(f"{len(lost)} of {len(tasks)} runs have no result ({'; '.join(lost)})")


def _end(workers: set[multiprocessing.Process]) -> None:
    """End worker processes, then the kernels and renderers that they started: a worker records nothing of their end."""
    started = []
    for worker in workers:
        try:
            started += psutil.Process(worker.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            pass
        worker.kill()
    for process in started:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            pass
    psutil.wait_procs(started, timeout=10)


def _write_index(
    chapter: Chapter, out: Path, table: sweep_index.Table, wanted: int, others: int
) -> None:
    failed = sum(bool(run.failure) for run in table.runs)
    notes = [
        f"{len(table.runs) - failed} runs complete, {failed} failed; the last call asked for {wanted}, the one with "
        "the default parameters among them."
    ]
    if others:
        notes.append(
            f"{others} runs made by other versions of the chapter or library are not shown."
        )
    page = sweep_index.as_html(table, chapter.name, chapter.title, chapter.known, notes)
    for name, text in (("index.html", page), ("index.csv", sweep_index.as_csv(table))):
        write_whole(out / name, lambda file, t=text: file.write(t.encode()))


class Clock:
    """One line for each run: how far, how fast, how long still."""

    def __init__(self, total: int, report: Callable[[str], None]):
        self.total, self.done, self.report, self.start = total, 0, report, time.monotonic()

    def finished(self, point: str, run: Run, page_said: str) -> None:
        self.done += 1
        each = (time.monotonic() - self.start) / self.done
        left = each * (self.total - self.done)
        what = f"FAILED: {run.failure}" if run.failure else "done"
        what += f", but without its page: {page_said}" * bool(page_said)
        self.report(
            f"[{self.done}/{self.total}] {point}: {what} · {each:.1f} s a run · about {left:.0f} s left"
        )


# --- the command -----------------------------------------------------------------------------------------------------


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `unlearning sweep`."""
    add = parser.add_argument
    add("chapter")
    add(
        "-p",
        action="append",
        default=[],
        metavar="NAME=VALUES",
        dest="axes",
        help="values to try, e.g. lam=1e-3,1e-2 or seed=0..9 or 'steps=[1,2],[1,2,3]'; may be repeated: all combinations",
    )
    add("--zip", action="store_true", help="pair the values of several -p one by one instead")
    add(
        "--from",
        type=Path,
        metavar="GRID.csv",
        dest="table",
        help="points from a table, names in its first line; with -p: each row with every combination",
    )
    add(
        "--jobs",
        type=int,
        metavar="K",
        help="runs at a time (default: CPU cores; with --on ray, the cluster's)",
    )
    add("--on", default="", metavar="ray[=ADDRESS]", help=on_ray.HELP)
    add("--dry-run", action="store_true", help="print the points and what is there; do nothing")
    add("--retry-failed", action="store_true", help="run failed points again")
    add("--no-html", action="store_true", help="notebooks, numbers and the index only, no pages")
    add("--out", required=True, type=Path, metavar="DIR", help="a new folder, or one to go on with")


def main(arguments: argparse.Namespace) -> int:
    """Exit status 0 when every point has its run; refusals and failures are raised."""
    if arguments.on:
        on_ray.address_of(arguments.on)
    all_of_them = None if arguments.on else os.cpu_count()
    jobs = all_of_them if arguments.jobs is None else arguments.jobs
    if jobs is not None and jobs < 1:
        raise Refused(f"--jobs {jobs}: give at least 1")
    chapter = opened(arguments.chapter)
    points = sweep_points.points(
        chapter.name, chapter.known, arguments.axes, arguments.zip, arguments.table
    )
    if arguments.dry_run:
        _settle(chapter, arguments.out)
        print(plan(chapter, points, arguments.out, arguments.retry_failed))
        return 0
    runs = sweep(
        chapter,
        points,
        arguments.out,
        named=[text.partition("=")[0].strip() for text in arguments.axes],
        jobs=jobs,
        html=not arguments.no_html,
        retry=arguments.retry_failed,
        on=arguments.on,
        report=lambda line: print(line, flush=True),
    )
    print(f"{arguments.out}/index.html")
    bare = sum(not run.page and not run.failure for run in runs) * (not arguments.no_html)
    failed = sum(bool(run.failure) for run in runs)
    if failed or bare:
        told = [f"{failed} failed (see index.html; --retry-failed runs them again)"] * bool(failed)
        told += [f"{bare} have no page (the same command tries again)"] * bool(bare)
        raise Failed(f"of {len(runs)} runs {' and '.join(told)}")
    return 0


def plan(chapter: Chapter, points: list[dict[str, object]], out: Path, retry: bool) -> str:
    """The points and their state, one line each, and how many there are to run."""
    found, _ = held(chapter, out)
    wanted = {chapter.folder(p): p for p in [chapter.defaults, *points]}
    states = {
        f: "to run" if f not in found else "failed" if found[f].failure else "complete"
        for f in wanted
    }
    lines = [
        f"{f}  {states[f]:<8}  {sweep_points.said(p, chapter.defaults)}" for f, p in wanted.items()
    ]
    count = {s: list(states.values()).count(s) for s in ("to run", "complete", "failed")}
    todo = count["to run"] + count["failed"] * retry
    return "\n".join(
        [
            *lines,
            f"{len(wanted)} runs with the default one: {count['complete']} complete, {count['failed']} failed; "
            f"{todo} would run",
        ]
    )
