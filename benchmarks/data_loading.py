"""How fast pairs of frames come from a packed folder, and how fast from the files it was made of.

    python -m benchmarks.data_loading [--frames 4800] [--out FILE.json]

Writes a data set in the layout of Simplified Human3.6M (128 x 128 JPEG, mask PNG, joints .mat, of
synthetic people), packs it with `fastpose prepare`'s own code, and draws pairs with unpaired poses:

    packed            FramePairs and PosePrior, as training does
    packed, 2 threads the same from two threads at once
    warps             WarpPairs: two thin-plate-spline warps of one frame
    original files    what the loader of KeypointGAN reads for a pair: 2 JPEG, 2 PNG, 4 .mat
    pictures only     of those, the 2 JPEG

All take turns in one process. On a machine that others use the CPU time is what counts. Then an
epoch is drawn and the process's memory is noted: its own, and the pages of the files it has mapped,
which the system takes back as it needs them.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import Contender, interleave, machine, ratio
from fastpose.data.clips import ClipStore
from fastpose.data.datasets.matlab import load_mat
from fastpose.data.datasets.pack import PackConfig, pack, pack_poses
from fastpose.data.frame_pairs import FramePairs
from fastpose.data.pose_prior import PosePrior, PriorConfig
from fastpose.data.synthetic import SyntheticPeople
from fastpose.data.warp_pairs import WarpPairs
from fastpose.media.images import read_image, write_image
from fastpose.skeletons import get_skeleton

BATCH, SIZE = 50, 128
NAME, SKELETON = "simplified-human36m-background", get_skeleton("h36m32")
SUBJECTS, SEQUENCES = ("S1", "S5", "S6", "S7", "S8", "S9"), ("Directions", "Walking")
KINDS = {"WithBackground": "jpg", "BackgroudMask": "png", "Landmarks": "mat"}


def write_originals(root: Path, frames: int) -> None:
    """The data set of about ``frames`` frames; a few rendered clips, shifted about, are enough."""
    from scipy.io import savemat

    people = SyntheticPeople(SIZE, 16, 15.0, 0)
    clips = [people.clip(i) for i in range(4)]
    length = max(frames // (len(SUBJECTS) * len(SEQUENCES)), 4)
    rng = np.random.default_rng(0)
    for s, subject in enumerate(SUBJECTS):
        for q, sequence in enumerate(SEQUENCES):
            folders = {kind: root / subject / kind / sequence for kind in KINDS}
            for folder in folders.values():
                folder.mkdir(parents=True)
            clip = clips[(2 * s + q) % len(clips)]
            for i in range(length):
                image = np.roll(clip.frames[i % len(clip.frames)], 3 * (i // 16), axis=1)
                write_image(folders["WithBackground"] / f"{i + 1}.jpg", image)
                mask = clip.mask[i % len(clip.mask)]
                write_image(folders["BackgroudMask"] / f"{i + 1}.png", mask)
                points = {"keypoints_2d": rng.uniform(0.1, 0.9, (32, 2))}
                savemat(folders["Landmarks"] / f"{i + 1}.mat", points)


def from_originals(root: Path, store: ClipStore, *, labels: bool) -> Callable[[], object]:
    """Reads a batch as the published loader does, of frames that `FramePairs` would draw."""
    rng = np.random.default_rng(1)

    def file(clip: int, frame: int, kind: str) -> Path:
        about = store.clips[clip]
        numbers = about.source_frames or ()
        folder = root / str(about.source).replace("WithBackground", kind)
        return folder / f"{numbers[frame]}.{KINDS[kind]}"

    def read() -> object:
        found = []
        for _ in range(BATCH):
            clip = int(rng.integers(len(store.clips)))
            places = [(clip, int(f)) for f in rng.integers(len(store.clips[clip]), size=2)]
            for place in places:
                image = read_image(file(*place, "WithBackground"))
                if labels:
                    image = image * (read_image(file(*place, "BackgroudMask")) > 127)
                found.append(image)
            if labels:
                other = int(rng.integers(len(store.clips)))
                rows = rng.integers(len(store.clips[other]), size=2)
                for place in [*places, *((other, int(f)) for f in rows)]:
                    load_mat(file(*place, "Landmarks"), "keypoints_2d")
        return found

    return read


def contenders(root: Path, store: ClipStore, prior: PosePrior) -> list[Contender]:
    """Everything that is timed; each call draws a batch, the one with two threads two."""
    pairs, warps, rng = FramePairs(store), WarpPairs(store), np.random.default_rng(0)

    def packed(generator: np.random.Generator = rng) -> object:
        return pairs.sample(BATCH, generator), prior.sample(BATCH, generator)

    generators = [np.random.default_rng(i) for i in (1, 2)]
    pool = ThreadPoolExecutor(2)
    return [
        Contender("packed", packed),
        Contender("packed, 2 threads", lambda: list(pool.map(packed, generators))),
        Contender("warps", lambda: warps.sample(BATCH, rng)),
        Contender("original files", from_originals(root, store, labels=True)),
        Contender("pictures only", from_originals(root, store, labels=False)),
    ]


def memory() -> dict[str, float]:
    """MiB that the process has for itself, and of mapped files."""
    fields = {"RssAnon": "own", "RssFile": "mapped"}
    lines = Path("/proc/self/status").read_text().splitlines()
    values = (line.split(":") for line in lines if line.split(":")[0] in fields)
    return {fields[key]: round(int(value.split()[0]) / 1024, 1) for key, value in values}


def epoch(store: ClipStore, prior: PosePrior, parts: int = 10) -> list[dict[str, float]]:
    """Memory before an epoch and after each of its parts; a first batch is not counted."""
    pairs, rng = FramePairs(store), np.random.default_rng(0)
    pairs.sample(BATCH, rng)
    prior.sample(BATCH, rng)
    noted = [memory()]
    for _ in range(parts):
        for _ in range(max(store.frames_total // BATCH // parts, 1)):
            pairs.sample(BATCH, rng)
            prior.sample(BATCH, rng)
        noted.append(memory())
    return noted


def measure(folder: Path, frames: int, rounds: int) -> dict[str, Any]:
    """Write, pack, time; the result as it goes into the file."""
    root = folder / "original"
    write_originals(root, frames)
    pack(NAME, root, folder / "packed", PackConfig(half="all", every=1))
    pack_poses(NAME, root, folder / "poses.npz", PackConfig(half="all", every=1))
    store = ClipStore.open(folder / "packed")
    config = PriorConfig(framing="given", outside_limit=0.0)
    prior = PosePrior.from_path(folder / "poses.npz", SKELETON, config)
    timed = contenders(root, store, prior)
    interleave(timed, rounds)
    rows = {}
    for contender in timed:
        count = BATCH * (2 if contender.name.endswith("2 threads") else 1)
        summary = contender.summary()
        median = {kind: summary[f"{kind}_ms"]["median"] / 1e3 for kind in ("wall", "cpu")}
        rate = {f"pairs_per_{kind}_second": round(count / v) for kind, v in median.items()}
        rows[contender.name] = {**rate, **summary}
    peer = next(c for c in timed if c.name == "original files")
    return {
        "machine": machine(),
        "frames": store.frames_total,
        "batch": BATCH,
        "rows": rows,
        "times_faster_than_original_files": {
            kind: ratio(peer, timed[0], kind) for kind in ("wall", "cpu")
        },
        "memory_over_an_epoch_mib": epoch(store, prior),
    }


def show(result: dict[str, Any]) -> None:
    """A table for people."""
    print(f"{result['frames']} frames of {SIZE} x {SIZE}; load {result['machine']['load']}")
    print(f"{'':18}{'pairs/s (wall)':>16}{'pairs/s (CPU)':>16}")
    for name, row in result["rows"].items():
        wall, cpu = row["pairs_per_wall_second"], row["pairs_per_cpu_second"]
        print(f"{name:18}{wall:16,}{cpu:16,}")
    faster = result["times_faster_than_original_files"]
    print(
        f"packed is {faster['wall']['of_medians']} times (CPU: {faster['cpu']['of_medians']}) as "
        "fast as the original files"
    )
    own = [noted["own"] for noted in result["memory_over_an_epoch_mib"]]
    mapped = [noted["mapped"] for noted in result["memory_over_an_epoch_mib"]]
    print(f"memory over an epoch: own {own[0]} to {own[-1]} MiB, mapped files up to {max(mapped)}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; prints the table, and writes JSON where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--frames", type=int, default=4800)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        result = measure(Path(folder), options.frames, options.rounds)
    show(result)
    if options.out is not None:
        options.out.write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
