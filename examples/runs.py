"""What the longer examples share: verbs of the command line, one after the other, and baselines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fastpose import cli, environment
from fastpose.data.clips import ClipStore
from fastpose.data.pose_prior import PosePrior

COMMANDS: list[str] = []


def verb(*arguments: str, done: bool = False) -> None:
    """Keep one verb of the command line, and run it unless it is done; stop where it fails."""
    COMMANDS.append(f"fastpose {' '.join(arguments)}")
    if done:
        return
    print(f"\n== {COMMANDS[-1]}", flush=True)
    code = cli.main(list(arguments))
    if code:
        sys.exit(code)


def finished(run: Path) -> bool:
    """Whether all steps of ``run`` are done."""
    path = run / "summary.json"
    summary = json.loads(path.read_text()) if path.is_file() else {"step": 0, "total_steps": 1}
    return summary["step"] == summary["total_steps"]


def write_mean_pose(prior: PosePrior, test: Path, path: Path) -> None:
    """The mean of the prior's poses as everybody's prediction, beside the labels."""
    store = ClipStore.open(test)
    assert store.skeleton is not None
    count = store.frames_total
    mean = (prior.mean_pose() + 1.0) * (0.5 * (store.size - 1))
    np.savez(
        path,
        predicted=np.broadcast_to(mean, (count, *mean.shape)),
        predicted_names=np.array(prior.skeleton.joints),
        truth=np.concatenate([np.asarray(clip.keypoints) for clip in store.clips]),
        visible=np.concatenate([np.asarray(clip.visible) for clip in store.clips]),
        joint_names=np.array(store.skeleton.joints),
        activity=np.array([str(clip.activity) for clip in store.clips for _ in range(len(clip))]),
        side=np.float64(store.size),
    )


def described(out: Path) -> dict[str, Any]:
    """Of a folder with ``train`` and ``test``: what is in them; and what ran where."""
    here = environment.collect()
    parts = {name: ClipStore.open(out / name) for name in ("train", "test")}
    return {
        "clips": {
            name: {
                "clips": len(store.clips),
                "frames": store.frames_total,
                "actors": sorted({str(clip.actor) for clip in store.clips}),
            }
            for name, store in parts.items()
        },
        "commands": COMMANDS,
        "commit": commit(),
        "date": date.today().isoformat(),
        "machine": {"cpu": here["devices"]["cpu"], "load": round(os.getloadavg()[0], 1)},
        "versions": {"python": here["python"], "torch": torch.__version__},
    }


def commit() -> str | None:
    """Of the code that ran, with a + where files of it were changed; None outside of git."""
    try:
        answer = subprocess.run(
            ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty=+"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return answer.stdout.strip()
