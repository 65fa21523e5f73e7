"""Plots and tables of the chapter on one model."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from unlearning import training
from unlearning.experiment.presets import Preset
from unlearning.page import figures
from unlearning.page.ladder import FULL

COLORS = figures.COLORS


def layers(full: pd.DataFrame) -> pd.DataFrame:
    """A table of layers with its numbers as text: parameters with separators, FLOP in millions."""
    mega = (full["flop"] / 1e6).map("{:.1f}".format)
    table = full.assign(parameters=full["parameters"].map("{:,}".format), MFLOP=mega)
    return table.drop(columns="flop")


def images(p: Preset) -> int:
    """Training points of a preset."""
    return p.train_images or FULL[p.dataset][0]


def recipes(chosen: list[Preset]) -> pd.DataFrame:
    """One row per preset: images, width, epochs, batch, last batch, steps, precision."""
    rows = []
    for p in chosen:
        n, batch = images(p), p.recipe.batch
        rows.append(
            {
                "preset": p.name,
                "images": f"{n:,}",
                "width": p.width,
                "epochs": p.recipe.epochs,
                "peak at": f"{p.recipe.peak_epoch:g}",
                "batch": batch,
                "last batch": training.last_batch(n, batch),
                "steps": f"{-(-n // batch) * p.recipe.epochs:,}",
                "precision": p.recipe.precision,
            }
        )
    return pd.DataFrame(rows)


def triangle(chosen: list[Preset]) -> Figure:
    """Learning rate against epoch, one line per preset."""
    looks = (("pretrained", "-"), ("ascent", "--"))
    with figures.style():
        panel, ax = figures.panel(width=4.8, height=2.8)
        for p, (color, dash) in zip(chosen, looks, strict=True):
            per_epoch = -(-images(p) // p.recipe.batch)
            steps = np.arange(p.recipe.epochs * per_epoch + 1)
            rates = [training.learning_rate(int(t), per_epoch, p.recipe) for t in steps]
            label = f"{p.name}: {steps[-1]:,} steps"
            ax.plot(steps / per_epoch, rates, dash, color=COLORS[color], label=label)
        ax.set(xlabel="epoch", ylabel="learning rate", ylim=(0, None))
        ax.legend(loc="upper right")
    return panel


def margins(groups: dict[str, np.ndarray]) -> Figure:
    """Cumulative distribution of each group's margins: untrained, trained, validation."""
    looks = (("neutral", ":"), ("pretrained", "-"), ("oracle", "--"))
    with figures.style():
        panel, ax = figures.panel(width=5.2, height=3.2)
        for (name, phi), (color, dash) in zip(groups.items(), looks, strict=True):
            ax.ecdf(phi, lw=1.8, ls=dash, color=COLORS[color], label=name)
        ax.axvline(0, color=COLORS["neutral"], lw=0.8)
        ax.set(xlabel="margin (nats)", ylabel="fraction of images", ylim=(0, 1.4))
        ax.legend(loc="upper left")
    return panel


def one_model(accuracy: dict[str, float], median: dict[str, float]) -> pd.DataFrame:
    """Group of images -> accuracy and median margin, as a page's table."""
    return pd.DataFrame(
        {
            "images": list(accuracy),
            "accuracy": [f"{a:.1%}" for a in accuracy.values()],
            "median margin (nats)": [f"{m:.2f}" for m in median.values()],
        }
    )
