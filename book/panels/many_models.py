"""Plots, tables and timings of the chapter on many models."""

import time
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from unlearning import networks, training
from unlearning.datasets import Data
from unlearning.experiment.presets import Preset
from unlearning.page import figures

COLORS = figures.COLORS
MARKS = {"easy": ("oracle", "^"), "ambiguous": ("forget", "s"), "hard": ("ascent", "v")}
TINY = 1e-17  # a difference of exactly zero is drawn here


def accuracies(right: dict[str, np.ndarray]) -> pd.DataFrame:
    """Group of points -> each model's accuracy: mean, spread and ends as a page's table."""
    rows = [
        {
            "points": name,
            "accuracy, mean": f"{x.mean():.1%}",
            "sd over models": f"{x.std(ddof=1):.1%}",
            "worst": f"{x.min():.1%}",
            "best": f"{x.max():.1%}",
        }
        for name, x in right.items()
    ]
    return pd.DataFrame(rows)


def three(phi: np.ndarray, hit_rate: np.ndarray) -> dict[str, int]:
    """The points with the highest mean margin, the most evenly divided models, the lowest mean margin."""
    mean = phi.mean(0)
    even = int(np.lexsort((np.abs(mean), np.abs(hit_rate - 0.5)))[0])
    return {"easy": int(mean.argmax()), "ambiguous": even, "hard": int(mean.argmin())}


def draw_digit(ax, image: np.ndarray) -> None:
    """One digit (1, 12, 12), without its frame, as ink on paper."""
    ax.imshow(image[0, 2:10, 2:10], cmap="gray_r", vmin=0, vmax=240)
    ax.set(xticks=[], yticks=[])
    ax.grid(False)
    for spine in ax.spines.values():
        spine.set_visible(True)


def points(
    chosen: dict[str, int],
    phi: np.ndarray,
    hit_rate: np.ndarray,
    images: np.ndarray,
    labels: np.ndarray,
) -> list[Figure]:
    """A panel for each chosen point, picture and histogram, and one with mean and spread of all."""
    edges, found = np.linspace(phi.min(), phi.max(), 31), []
    mean, spread = phi.mean(0), phi.std(0, ddof=1)
    with figures.style():
        for name, point in chosen.items():
            panel, (a, b) = figures.panel(4.4, 2.4, ncols=2, width_ratios=[1, 2.4])
            draw_digit(a, images[point])
            a.set_title(f"{name}\na {int(labels[point])}")
            b.hist(phi[:, point], edges, color=COLORS[MARKS[name][0]])
            b.axvline(0, color=COLORS["neutral"], ls=":")
            b.set(xlabel="margin (nats)", ylabel="models", title=f"right: {hit_rate[point]:.0%}")
            b.yaxis.get_major_locator().set_params(integer=True)
            found.append(panel)
        overview, ax = figures.panel(4.4, 2.4)
        ax.plot(mean, spread, ".", ms=4, color=COLORS["neutral"], rasterized=True)
        for name, point in chosen.items():
            color, mark = MARKS[name]
            look = {"ms": 9, "color": COLORS[color], "mec": figures.INK, "label": name}
            ax.plot(mean[point], spread[point], mark, **look)
        ax.axvline(0, color=COLORS["neutral"], ls=":")
        ax.set(xlabel="mean margin (nats)", ylabel="spread (nats)", ylim=(0, 1.45 * spread.max()))
        ax.legend(loc="upper center", ncols=3, handletextpad=0.2, columnspacing=1)
    return [*found, overview]


def drift(
    sizes: list[float],
    moved: np.ndarray,
    moved_smooth: np.ndarray,
    by_rounding: dict[str, np.ndarray],
) -> tuple[Figure, Figure]:
    """Change over steps (moved: (steps, nudges)), and at the end against the size of the nudge."""
    with figures.style():
        left, ax = figures.panel()
        step = 1 + np.arange(len(moved))
        for values, color, dash, label in (
            (moved[:, -1], "ascent", "-.", f"nudge {sizes[-1]:.0e}"),
            (by_rounding["float32"], "pretrained", "-", "float32"),
            (moved[:, 0], "forget", "--", f"nudge {sizes[0]:.0e}"),
            (by_rounding["float64"], "oracle", ":", "float64"),
        ):
            ax.semilogy(step, np.maximum(values, TINY), dash, color=COLORS[color], label=label)
        ax.set(xlabel="step", ylabel="largest change (nats)", ylim=(TINY, 1e6))
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.legend(loc="upper left", ncols=2)
        right, ax = figures.panel()
        ax.loglog(sizes, moved[-1], "o", color=COLORS["ascent"], label="ResNet-9")
        hollow = {"color": COLORS["oracle"], "mfc": "none"}
        ax.loglog(sizes, moved_smooth[-1], "s", **hollow, label="smooth network")
        line = moved[-1, 0] * np.array(sizes) / sizes[0]
        ax.loglog(sizes, line, ":", color=COLORS["neutral"], label="proportion")
        end = by_rounding["float32"][-1]
        ax.axhline(max(end, TINY), color=COLORS["pretrained"], ls="--", label="float32")
        ax.set(xlabel="nudge (relative)", ylabel="largest change at the end (nats)")
        ax.set_ylim(None, 1e3 * moved[-1].max())
        ax.legend(loc="upper left", ncols=2, columnspacing=1)
    return left, right


def rates(p: Preset, shape: tuple[int, int, int], steps: int = 6) -> dict[str, float]:
    """FLOP/s of training a preset's network on one core, by precision: random images, `steps` steps after one to warm up."""
    generator, n = torch.Generator().manual_seed(0), p.recipe.batch * steps
    images = torch.randint(0, 256, (n, *shape), dtype=torch.uint8, generator=generator)
    labels = torch.randint(0, 10, (n,), generator=generator)
    scale = torch.full((shape[0],), 128.0), torch.full((shape[0],), 64.0)
    data = Data("random", images, labels, images[:1], labels[:1], *scale, classes=10)

    def build() -> torch.nn.Module:
        return networks.resnet9(p.width, shape[0])

    flop = 3 * networks.forward_flops(build(), shape) * n
    found = {}
    for precision in ("float32", "bfloat16"):
        once = replace(p.recipe, epochs=1, precision=precision)
        training.train_one(build, data, np.arange(p.recipe.batch), once, 0)
        start = time.process_time()
        training.train_one(build, data, np.arange(n), once, 0)
        found[precision] = flop / (time.process_time() - start)
    return found


def matrix_rate(size: int = 2048) -> float:
    """FLOP/s of a large product of two bfloat16 matrices on this process's threads; the better of two."""
    a, times = torch.ones(size, size, dtype=torch.bfloat16), []
    for _ in range(3):
        start = time.process_time()
        a @ a
        times.append(time.process_time() - start)
    return 2 * size**3 / min(times[1:])


def speeds(speed: dict[str, dict[str, float]], peak: float) -> pd.DataFrame:
    """Preset -> precision -> FLOP/s, beside the matrix product's rate, in GFLOP/s."""
    rows = [
        {
            "network": name,
            "float32": f"{rate['float32'] / 1e9:.0f}",
            "bfloat16": f"{rate['bfloat16'] / 1e9:.0f}",
            "gain": f"{rate['bfloat16'] / rate['float32']:.1f}",
            "matrix product": f"{peak / 1e9:.0f}",
            "fraction of it": f"{rate['bfloat16'] / peak:.0%}",
        }
        for name, rate in speed.items()
    ]
    return pd.DataFrame(rows)


def again(changes: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> pd.DataFrame:
    """One row per model: how far the margins of a second training lie from the first, in float32, bfloat16, another seed."""
    rows = [
        {
            "model": i,
            "float32, median": f"{np.median(single):.2g}",
            "float32, largest": f"{single.max():.2g}",
            "bfloat16, median": f"{np.median(half):.2f}",
            "next model, median": f"{np.median(sister):.2f}",
        }
        for i, (single, half, sister) in enumerate(changes)
    ]
    return pd.DataFrame(rows)
