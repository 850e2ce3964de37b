"""The ablation of shape templates: which of the two geometric losses does what.

    python examples/template_ablation.py [--out ablation] [--steps 1500]

Trains the same model with both losses, with either, and with neither, on clips of synthetic people
and no label, and scores each on clips of other people: mean joint distance in percent of the
picture's side. The published order (Schmidtke et al., CVPR 2021, on infants): both 6.5, boundary
alone 12.4, anchors alone 66, neither diverges (446). As published, parts begin all over the place.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path

from fastpose import cli

ROWS = {
    "anchor and boundary": (),
    "anchor alone": ("boundary",),
    "boundary alone": ("anchor",),
    "neither": ("anchor", "boundary"),
}
PUBLISHED = {
    "anchor and boundary": 6.54,
    "anchor alone": 65.99,
    "boundary alone": 12.42,
    "neither": 446.47,
}
START = ("model.zero_head=false", "model.pivot=corner", "model.guard=true")


def verb(*arguments: str) -> None:
    """Run one verb of the command line; stop where it fails."""
    print(f"\n== fastpose {' '.join(arguments)}", flush=True)
    code = cli.main(list(arguments))
    if code:
        sys.exit(code)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("ablation"))
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--clips", type=int, default=120)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--recipe", default="shape-templates")
    options = parser.parse_args()
    out, seed = options.out, options.seed
    out.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    views = ["--frontal", "0.8", "--height", "0.7", "0.85", "--shift", "0.15", "--travel", "0.2"]
    for name, clips, number in (("train", options.clips, 1), ("test", 24, 2)):
        where = ["--out", str(out / name), "--clips", str(clips), "--seed", str(seed + number)]
        verb("synthesize", *where, "--frames", "48", *views, "--overwrite")
    poses = out / "poses.npz"
    verb("synthesize", "--out", str(poses), "--poses-only", "--clips", "60", "--overwrite")
    scores: dict[str, dict[str, float]] = {}
    for row, without in ROWS.items():
        run, report = out / row.replace(" ", "-"), out / f"{row.replace(' ', '-')}-score"
        settings = [
            *START,
            f"seed={seed}",
            f"stages.main.steps={options.steps}",
            *(f"stages.main.main.weights.{loss}=0" for loss in without),
        ]
        verb(
            "train", options.recipe, "--data", str(out / "train"), "--out", str(run),
            "--overwrite", "--set", *settings,
        )  # fmt: skip
        verb(
            "evaluate", str(run), "--data", str(out / "test"), "--out", str(report),
            "--prior", str(poses),
        )  # fmt: skip
        found = json.loads((report / "report.json").read_text())
        scores[row] = {k: v for k, v in found.items() if k.endswith("_percent")}
    figures = {
        "steps": options.steps,
        "clips": options.clips,
        "seed": seed,
        "machine": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "seconds": round(time.perf_counter() - started, 1),
        "rows": scores,
    }
    (out / "ablation.json").write_text(json.dumps(figures, indent=1) + "\n")
    print("\n| losses | error (%) | sides forgiven (%) | published, infants (%) |")
    print("|---|---:|---:|---:|")
    for row, found in scores.items():
        plain, forgiven = found["error_percent"], found["error_forgiven_percent"]
        print(f"| {row} | {plain:.2f} | {forgiven:.2f} | {PUBLISHED[row]:.2f} |")
    mean = next(iter(scores.values()))["mean_pose_percent"]
    print(f"| mean pose of other motions | {mean:.2f} | | |")
    print(f"\n{out / 'ablation.json'}")


if __name__ == "__main__":
    main()
