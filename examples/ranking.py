"""Three methods ranked on synthetic people who are filmed as those of Human3.6M are.

    python examples/ranking.py [--out ranking] [--steps 1000] [--threads 1]

One room, four fixed cameras, seven actors: five to train on and two to test on, as Human3.6M is
split. A supervised regressor sees the joints of the training clips, KeypointGAN sees none, only
poses of further actors; the mean of those poses is what a method must beat to have looked at the
pictures. All are scored by the same protocol. What was begun is continued: to make it anew, delete
the folder.
"""

from __future__ import annotations

import argparse
import itertools
import json
from pathlib import Path
from typing import Any

from runs import described, finished, verb, write_mean_pose

from fastpose.data.clips import ClipStore, split_by_actor
from fastpose.training.run_config import RunConfig

PROTOCOL = "human36m-like"
TEST_ACTORS = 2
# Poses framed as the preset's cameras film: from any side and 1.6 m above the ground.
VIEWS = (
    "prior.frontal_share=0",
    "prior.side_share=0",
    "prior.pitch_mean=9",
    "prior.pitch_sd=4",
    "prior.height=0.73",
    "prior.height_sd=0.05",
    "prior.top=0.135",
    "prior.centre_sd=0.08",
)
KEYPOINT_GAN, MEAN_POSE = "keypointgan", "mean pose of the prior"
RECIPES = {"supervised": "supervised", KEYPOINT_GAN: "keypointgan-demo"}


def make_data(out: Path, options: argparse.Namespace) -> None:
    """Clips to train and to test on, and poses of actors who are in neither."""
    preset, seed = ["--preset", PROTOCOL], options.seed
    done = (out / "test").is_dir()
    clips = ["--clips", str(options.clips), "--frames", "40", "--size", "64"]
    where = ["--out", str(out / "people"), "--overwrite"]
    verb("synthesize", *preset, *clips, *where, "--seed", str(seed + 1), done=done)
    if not done:
        people = ClipStore.open(out / "people")
        split_by_actor(people, out / "train", out / "test", test_actors=TEST_ACTORS, overwrite=True)
    done, poses = (out / "poses.npz").is_file(), str(out / "poses.npz")
    where = ["--out", poses, "--poses-only", "--clips", "300"]
    verb("synthesize", *preset, *where, "--seed", str(seed + 3), done=done)


def train(out: Path, options: argparse.Namespace) -> None:
    """Train both, or go on where they were."""
    threads = ["--threads", str(options.threads)] if options.threads else []
    for method, recipe in RECIPES.items():
        steps = options.steps if method == KEYPOINT_GAN else options.supervised_steps
        sets = [f"seed={options.seed}", f"stages.main.steps={steps}", "checkpoint_every=100"]
        poses = []
        if method == KEYPOINT_GAN:
            poses, sets = ["--prior", str(out / "poses.npz")], [*sets, *VIEWS]
        verb(
            "train", recipe, "--data", str(out / "train"), *poses, "--out", str(out / method),
            "--resume", *threads, "--set", *sets, done=finished(out / method),
        )  # fmt: skip


def score(out: Path) -> dict[str, dict[str, Any]]:
    """What the protocol says of each method on the test clips, the worst expected first."""
    config = RunConfig.load(out / KEYPOINT_GAN)
    prior = config.open_prior(out / KEYPOINT_GAN)
    assert prior is not None  # KeypointGAN cannot be trained without
    write_mean_pose(prior, out / "test", out / "mean-pose.npz")
    data = ["--data", str(out / "test")]
    methods: dict[str, tuple[Path, list[str]]] = {MEAN_POSE: (out / "mean-pose.npz", [])}
    methods |= {method: (out / method, data) for method in reversed(RECIPES)}
    found: dict[str, dict[str, Any]] = {}
    for method, (model, given) in methods.items():
        where = out / f"{method.replace(' ', '-')}-score"
        verb("evaluate", str(model), *given, "--protocol", PROTOCOL, "--out", str(where))
        found[method] = json.loads((where / "report.json").read_text())
    return found


def report(out: Path, scores: dict[str, dict[str, Any]]) -> None:
    """Write ``ranking.json`` and print the table."""
    plain, forgiven, constant = "ours", "ours, sides forgiven", "mean of the labels, always"
    rows: dict[str, dict[str, Any]] = {}
    for method, found in scores.items():
        rows[method] = {
            "percent": found["ours"][plain]["all"],
            "forgiven_percent": found["ours"][forgiven]["all"],
            "joints_within_5_percent": found["further"][plain]["joints within@0.05"],
            "by_activity_forgiven": found["ours"][forgiven],
        }
        summary = out / method / "summary.json"
        if summary.is_file():
            trained = json.loads(summary.read_text())
            rows[method] |= {k: trained[k] for k in ("step", "train_seconds", "cpu_seconds")}
    falls = {
        kind: all(a[kind] > b[kind] for a, b in itertools.pairwise(rows.values()))
        for kind in ("percent", "forgiven_percent")
    }
    best_constant = scores[MEAN_POSE]["ours"][constant]["all"]
    figures = {
        "what": "mean joint distance in percent of the picture's side, synthetic people, 64x64",
        "methods": rows,
        "mean_of_the_test_labels_percent": best_constant,
        "ranked_as_expected": falls,
        **described(out),
    }
    (out / "ranking.json").write_text(json.dumps(figures, indent=1) + "\n")
    print("\n| method | error (%) | sides forgiven (%) | joints within 5 % |")
    print("|---|---:|---:|---:|")
    for method, row in rows.items():
        within = row["joints_within_5_percent"]
        print(f"| {method} | {row['percent']:.2f} | {row['forgiven_percent']:.2f} | {within:.1f} |")
    print(f"| mean of the test clips' labels | {best_constant:.2f} | | |")
    words = (f"{kind}: {'yes' if falls[kind] else 'no'}" for kind in falls)
    print(f"\nranked as expected, each better than the one above it: {', '.join(words)}")
    for path in (out / "ranking.json", *(out / method / "sheets" for method in RECIPES)):
        print(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("ranking"))
    parser.add_argument(
        "--steps", type=int, default=1000, help="of KeypointGAN, after pre-training"
    )
    parser.add_argument("--supervised-steps", type=int, default=2000)
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    make_data(out, options)
    train(out, options)
    report(out, score(out))


if __name__ == "__main__":
    main()
