"""From pictures to space: what the detectors of ``shape_templates.py`` find, lifted.

    python examples/shape_templates.py --out shape-templates
    python examples/lifting.py --study shape-templates [--adults MOCAP ...] [--held-out MOCAP ...]

The three stages of the published lifting, and the first of them alone: motion capture (without
``--adults``: the poses of further synthetic actors that the study made), then the bodies of the
training clips, then the joints that the detector finds there. Both are scored on clips of actors
who were not trained on, with true and with detected 2D joints, and on held-out motion capture, next
to a body of constant depth that is told the scale.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from runs import COMMANDS, described, finished, verb

STAGES = {"first stage": ("adults",), "three stages": ("adults", "target", "predicted")}
DETECTORS = ("shape-templates", "KeypointGAN")
WIDTH = ("model.width=256", "model.dropout=0.1")


def lift(study: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Train both in the folder of one kind of clips; the rows of their reports."""
    rows: list[dict[str, Any]] = []
    adults = list(map(str, options.adults)) or [str(study / "poses.npz")]
    steps = {"adults": options.steps, "target": options.steps // 4, "predicted": options.steps // 4}
    for name, stages in STAGES.items():
        for detector in DETECTORS if "predicted" in stages else DETECTORS[:1]:
            run = study / f"lift-{name.replace(' ', '-')}-{detector}"
            lengths = [f"stages.{s}.steps={n if s in stages else 0}" for s, n in steps.items()]
            batch = [f"stages.{stage}.batch_size=256" for stage in steps]
            rates = [f"stages.{s}.main.optimizer.lr=1e-3" for s in ("target", "predicted")]
            settings = [*WIDTH, *lengths, *batch, *rates, f"model.detector={study / detector}"]
            clips = ["--data", str(study / "train")] if "target" in stages else []
            where = ["--prior", *adults, "--out", str(run), "--resume"]
            settings = [f"seed={options.seed}", *settings]
            done = finished(run)
            verb("train", "lifting-paper", *clips, *where, "--set", *settings, done=done)
            scores = study / f"{run.name}-score"
            held_out = ["--prior", *map(str, options.held_out)] if options.held_out else []
            given = ["--data", str(study / "test"), "--detector", str(study / detector)]
            verb("evaluate", str(run), *given, *held_out, "--out", str(scores))
            found = json.loads((scores / "report.json").read_text())["rows"]
            rows += [{"trained": name, "detector": detector, **row} for row in found]
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", type=Path, default=Path("shape-templates"))
    parser.add_argument("--only", nargs="+", default=["people", "infants"])
    parser.add_argument(
        "--adults", nargs="+", type=Path, default=[], help="motion capture to learn"
    )
    parser.add_argument("--held-out", nargs="+", type=Path, default=[], help="and to score on")
    parser.add_argument("--steps", type=int, default=3000, help="of the first stage")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for name in options.only:
        COMMANDS.clear()
        study: Path = options.study / name
        rows = lift(study, options)
        path = options.study / f"{name}-lifting.json"
        adults = [str(path) for path in options.adults] or "the poses of the study"
        found = {"adults": adults, "rows": rows, "unit": "mm", **described(study)}
        path.write_text(json.dumps(found, indent=1) + "\n")
        print(f"\n| {name}: trained | detector | 2D joints | method | MPJPE | N-MPJPE | P-MPJPE |")
        print("|---|---|---|---|---:|---:|---:|")
        for row in rows:
            errors = " | ".join(f"{row[key]:.0f}" for key in ("mpjpe", "n_mpjpe", "p_mpjpe"))
            about = " | ".join(row[key] for key in ("trained", "detector", "source", "method"))
            print(f"| {about} | {errors} |")
        print(path)


if __name__ == "__main__":
    main()
