"""An experiment divided among the members of a job array: `unlearning experiment --shard i/n`, each with its own --out.

Models are divided, not kinds of work: the stacks of models go to the shards in turn, and a shard trains its models,
retrains them and unlearns them, so it needs no other shard's weights. Two things need all models: forget sets chosen by
principal components, or with their near points, and records. `unlearning merge` makes both (`experiment.merge`).

shard.json       in a shard's folder: which one it is, and the preset that it was last asked for
"""

import json
import re
from dataclasses import asdict
from pathlib import Path

from unlearning import files
from unlearning.errors import Refused
from unlearning.experiment.presets import Preset, staged

Shard = tuple[int, int]  # (i, n): the i-th of n, from 1


def parsed(text: str, p: Preset) -> Shard:
    """`i/n` as numbers. Raises Refused for another form, and when there are more shards than stacks of models."""
    match = re.fullmatch(r"([1-9]\d{0,5})/([1-9]\d{0,5})", text)
    shard = (int(match[1]), int(match[2])) if match else (1, 0)
    if shard[0] > shard[1]:
        raise Refused(f"--shard {text}: give i/n with i from 1 to n, e.g. 1/8")
    models = max(stage.models for stage in staged(p).values())
    pieces = -(-models // p.stack)
    if shard[1] > pieces:
        raise Refused(
            f"--shard {text}: {models} models, trained {p.stack} at a time, make {pieces} pieces; use at most "
            f"{pieces} shards"
        )
    return shard


def owner(index: int, stack: int, count: int) -> int:
    """Which of `count` shards, from 1, has model `index`: stacks of `stack` models go to the shards in turn."""
    return index // stack % count + 1


def by_all_models(name: str, p: Preset) -> bool:
    """Whether a forget set, or its near points, is chosen by all pretrained models."""
    return name.startswith("pc") or p.scored_near > 0


def unchosen(p: Preset, out: Path) -> list[str]:
    """Forget sets of a stage that only a merge can choose and that have not reached this folder."""
    there = out / "forget_sets"
    return [
        name
        for name in p.forget_sets
        if by_all_models(name, p) and not (there / f"{name}.json").exists()
    ]


def settle(p: Preset, out: Path, shard: Shard | None) -> None:
    """Writes shard.json where there is none; Refused when the folder is another shard, or one against an undivided run."""
    before = read(out)
    held = f"shard {before['shard']}/{before['of']}" if before else "an undivided experiment"
    if before is None and shard and (out / "run.json").exists():
        raise Refused(f"{out} holds {held}: give each shard an --out folder of its own")
    if before and (before["shard"], before["of"]) != shard:
        raise Refused(
            f"{out} holds {held}: give --shard {before['shard']}/{before['of']}, or another --out"
        )
    if shard and before is None:
        note(p, out, shard)


def note(p: Preset, out: Path, shard: Shard) -> None:
    """Writes down in shard.json what the shard was asked for."""
    text = json.dumps({"shard": shard[0], "of": shard[1], "preset": asdict(p)}, indent=1)
    files.write_whole(out / "shard.json", lambda file: file.write(text.encode()))


def read(out: Path) -> dict | None:
    """What shard.json says; None without one. Refused when it cannot be read."""
    path = out / "shard.json"
    if not path.exists():
        return None
    try:
        told = json.loads(path.read_text())
        return {"shard": told["shard"], "of": told["of"], "preset": told["preset"]}
    except (ValueError, KeyError, TypeError):
        raise Refused(
            f"{path} cannot be read: remove the folder and run that shard again"
        ) from None
