"""From nothing to a detector that draws skeletons on a video, by the command line's own verbs.

    python examples/demo.py [--out demo] [--short] [--seed 0]

Synthetic clips stand in for a folder of videos: the joints they come with are used to score the
result on clips of other actors, and nowhere else. The unpaired poses are motions of a third set of
actors. ``--short`` runs every step on next to nothing, to see that it works, not what it reaches.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import time
from pathlib import Path

from fastpose import cli
from fastpose.data.synthetic import SyntheticConfig, SyntheticPeople
from fastpose.data.synthetic.camera import CameraConfig
from fastpose.media.video import VideoWriter

ACTIVITIES = ("jumping_jack", "wave", "walk")
VIEWS = ["--frontal", "0.6", "--side", "0.3", "--height", "0.7", "0.9", "--shift", "0.3"]


def step(title: str, *arguments: str) -> float:
    """Run one verb, say which, and return its seconds; stop the demo where it fails."""
    print(f"\n== {title}\n   fastpose {' '.join(arguments)}", flush=True)
    start = time.perf_counter()
    code = cli.main(list(arguments))
    if code:
        sys.exit(code)
    return time.perf_counter() - start


def write_videos(folder: Path, seed: int, frames: int) -> None:
    """Videos of actors whom training never saw, larger than the detector's input."""
    camera = CameraConfig(frontal=1.0, person_in_window=(0.7, 0.8))
    folder.mkdir()
    for index, activity in enumerate(ACTIVITIES):
        config = SyntheticConfig(activities=(activity,), camera=camera)
        people = SyntheticPeople(256, frames, 15.0, seed, config=config)
        with VideoWriter(folder / f"{activity}.mp4", 15.0, (256, 256)) as video:
            for frame in people.clip(index).frames:
                video.add(frame)


def report(out: Path, work: Path, *, train_seconds: float, seconds: float) -> None:
    """Write ``report.json`` and ``report.md``, put the pictures beside them, print the table."""
    scores = json.loads((work / "evaluation" / "report.json").read_text())
    prediction = json.loads((work / "poses" / "report.json").read_text())
    parity = json.loads((out / "model.report.json").read_text())
    training = json.loads((work / "run" / "summary.json").read_text())
    figures = {
        **{key: value for key, value in scores.items() if isinstance(value, (int, float))},
        "train_steps": training["step"],
        "train_seconds": round(training["train_seconds"], 1),
        "train_cpu_seconds": round(training["cpu_seconds"], 1),
        "export_max_error_px": parity["parity"]["max_error_px"],
        "inference_fps": prediction["model_frames_per_second"],
        "inference_end_to_end_fps": prediction["frames_per_second"],
        "video_frames": prediction["received"],
        "video_frames_accounted_for": prediction["processed"] + prediction["failed"],
        "machine": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "seconds": round(seconds, 1),
    }
    sheet, overlays = out / "sheet.png", []
    shutil.copy(sorted((work / "run" / "sheets").glob("step_*.png"))[-1], sheet)
    for video in sorted((work / "poses").glob("*_overlay.mp4")):
        overlays.append(Path(shutil.copy(video, out / video.name)))
    shutil.copy(work / "clips" / "sheet.png", out / "clips.png")
    rows = [
        ("trained model", "error_percent", "error_forgiven_percent"),
        ("mean pose of the prior", "mean_pose_percent", "mean_pose_forgiven_percent"),
        ("random pose of the prior", "random_pose_percent", "random_pose_forgiven_percent"),
    ]
    lines = [f"| {n} | {figures[a]:.2f} | {figures[b]:.2f} |" for n, a, b in rows]
    table = "\n".join(
        ["| on clips of other actors | plain | sides forgiven |", "|---|---:|---:|", *lines]
    )
    end_to_end, cores = figures["inference_end_to_end_fps"], figures["cores"]
    frames, accounted = figures["video_frames"], figures["video_frames_accounted_for"]
    text = f"""# What the demo reached

Mean joint distance in percent of the picture's side; no label was used in training. The poses are
framed as the synthetic cameras film; for videos of your own, `--fit-prior` finds the framing.

{table}

- training: {figures["train_steps"]} steps in {figures["train_seconds"]:.0f} s, {cores} cores
- export: within {figures["export_max_error_px"]:.0e} px of the trained model
- inference: {figures["inference_fps"]:.0f} frames/s in the model, {end_to_end:.0f} with decoding,
  drawing and encoding; {frames} frames in, {accounted} accounted for

- `sheet.png`: input, raw skeleton, drawn skeleton, reconstruction, overlay
- `clips.png`: the clips it was trained on
- `*_overlay.mp4`: poses on videos of people it never saw
- `model.onnx`: the detector
"""
    (out / "report.md").write_text(text)
    (out / "report.json").write_text(json.dumps(figures, indent=1) + "\n")
    print(f"\n{table}\n\nafter {seconds:.0f} s, of which {train_seconds:.0f} s of training")
    for path in (out / "report.md", sheet, *overlays, out / "model.onnx"):
        print(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("demo"))
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    started = time.perf_counter()
    out: Path = options.out
    work = out / "work"
    marker = work / ".made-by-the-demo"
    if work.exists() and not marker.exists():
        sys.exit(f"{work}: is not the demo's; choose another --out")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    marker.touch()
    short, seed = options.short, options.seed

    train_clips, test_clips = (4, 2) if short else (96, 24)
    common = ["--size", "64", *VIEWS]
    step(
        "clips of some actors, to train on", "synthesize", "--out", str(work / "clips"),
        "--clips", str(train_clips), "--seed", str(seed + 1), *common,
    )  # fmt: skip
    step(
        "clips of other actors, to test on", "synthesize", "--out", str(work / "test"),
        "--clips", str(test_clips), "--seed", str(seed + 2), *common,
    )  # fmt: skip
    poses = work / "poses.npz"
    step(
        "poses of further actors, without pictures", "synthesize", "--poses-only",
        "--out", str(poses), "--clips", "20" if short else "300", "--seed", str(seed + 3),
    )  # fmt: skip

    changes = ["stages.pretrain.steps=4", "stages.main.steps=4"] if short else []
    train_seconds = step(
        "training", "train", "keypointgan-demo", "--data", str(work / "clips"),
        "--prior", str(poses), "--out", str(work / "run"),
        "--set", f"seed={seed}", *changes,
    )  # fmt: skip
    step(
        "evaluation", "evaluate", str(work / "run"), "--data", str(work / "test"),
        "--out", str(work / "evaluation"),
    )  # fmt: skip
    model = out / "model.onnx"
    for old in (model, model.with_suffix(".report.json")):
        old.unlink(missing_ok=True)
    step("export", "export", str(work / "run"), "--out", str(model))
    write_videos(work / "videos", seed + 2, 15 if short else 60)
    step("prediction", "predict", str(model), str(work / "videos"), "--out", str(work / "poses"))
    report(out, work, train_seconds=train_seconds, seconds=time.perf_counter() - started)


if __name__ == "__main__":
    main()
