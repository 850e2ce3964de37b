"""Shape templates on synthetic people: what each geometric loss does, and how far they get.

    python examples/shape_templates.py [--out shape-templates] [--only people infants] [--threads 1]

First the ablation of Schmidtke et al. (CVPR 2021): the published motion of parts (free affine maps
about the picture's corner, which begin all over the place) with both geometric losses, with either,
and with neither. Then the recipe ``shape-templates`` or ``shape-templates-infants`` as it is,
beside KeypointGAN, which unlike it needs unpaired poses, and the mean of these poses. Everybody is
scored by the same protocol on actors who were not trained on. What was begun is continued as it was
begun: to make it anew, or with other options, delete the folder.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from runs import COMMANDS, described, finished, verb, write_mean_pose

from fastpose.data.clips import ClipStore, split_by_actor
from fastpose.training.run_config import RunConfig

LOSSES = "stages.main.main.weights"
ABLATION = {
    "anchor and boundary": (),
    "boundary alone": ("anchor",),
    "anchor alone": ("boundary",),
    "neither": ("anchor", "boundary"),
}
# Mean joint distance in percent, the paper's ablation on its infants; its main table has 4.86 for
# what should be the first of these.
PUBLISHED = {
    "anchor and boundary": 6.54,
    "boundary alone": 12.42,
    "anchor alone": 65.99,
    "neither": 446.47,
}
# How parts move and what their losses weigh, put back as published. What stays of the small recipes
# is the same in all rows: skips, guard, mirrored and shifted pictures, the picture's own error, a
# higher learning rate.
AS_PUBLISHED = (
    "model.transform=affine",
    "model.pivot=corner",
    "model.zero_head=false",
    "model.regressor_variant=released",
    f"{LOSSES}.features=1",
    f"{LOSSES}.anchor=0.5",
)
KEYPOINT_GAN, TEMPLATES = "KeypointGAN", "shape templates"
LABELS, PRIOR = "mean of the test labels, always", "mean pose of KeypointGAN's prior"


@dataclass(frozen=True)
class Kind:
    """Clips of one kind.

    Args:
        preset: of ``fastpose synthesize``; also the name of the protocol.
        recipe: of shape templates.
        template: what the template is made from, and
        span: from where to where its joints reach, as one typical frame has it.
        flags: of ``fastpose synthesize``.
        test_actors: how many are held out.
        prior: settings of KeypointGAN's prior: its poses as the cameras film them.
    """

    preset: str
    recipe: str
    template: str
    span: tuple[float, float]
    flags: tuple[str, ...]
    test_actors: int
    prior: tuple[str, ...]


KINDS = {
    "people": Kind(
        "human36m-like",
        "shape-templates",
        "adult",
        (0.10, 0.775),
        ("--clips", "420", "--window", "2.6"),
        2,
        (
            "prior.frontal_share=0",
            "prior.side_share=0",
            "prior.pitch_mean=9",
            "prior.pitch_sd=4",
            "prior.height=0.67",
            "prior.height_sd=0.05",
            "prior.top=0.125",
            "prior.centre_sd=0.08",
        ),
    ),
    "infants": Kind(
        "infants",
        "shape-templates-infants",
        "infant",
        (0.16, 0.80),
        ("--clips", "600", "--window", "0.85", "--actors", "120"),
        12,
        (
            "prior.frontal_share=1",
            "prior.side_share=0",
            "prior.yaw_spread=12",
            "prior.pitch_mean=80",
            "prior.pitch_sd=5",
            "prior.framing=box",
            "prior.height=0.66",
            "prior.height_sd=0.08",
            "prior.centre_sd=0.04",
        ),
    ),
}


def make_data(kind: Kind, out: Path, seed: int) -> None:
    """Clips to train and to test on, poses of actors who are in neither, and the template."""
    preset, done = ["--preset", kind.preset], (out / "test").is_dir()
    where = ["--out", str(out / "filmed"), "--seed", str(seed + 1), "--overwrite"]
    rate = ["--frames", "24", "--fps", "6", "--size", "64"]
    verb("synthesize", *preset, *kind.flags, *rate, *where, done=done)
    if not done:
        filmed, parts = ClipStore.open(out / "filmed"), (out / "train", out / "test")
        split_by_actor(filmed, *parts, test_actors=kind.test_actors, overwrite=True)
    poses = out / "poses.npz"
    where = ["--out", str(poses), "--poses-only", "--clips", "300", "--seed", str(seed + 3)]
    verb("synthesize", *preset, *where, done=poses.is_file())
    span = ["--span", *map(str, kind.span)]
    picture = ["--out", str(out / "template.png"), "--save", str(out / "template.json")]
    verb("view", "template", kind.template, *span, *picture, done=(out / "template.json").is_file())


def plan(kind: Kind, out: Path, options: argparse.Namespace) -> dict[str, tuple[str, list[str]]]:
    """Recipe and further arguments of every run, by what it is called."""
    common = ["checkpoint_every=250", f"seed={options.seed}"]
    features = ["model.features=squeezenet1_1", f"model.feature_weights={options.features}"]
    features = features if options.features else []
    ours = ["pairs=scenes", f"model.template={out / 'template.json'}", *features, *common]
    runs = {}
    for row, without in ABLATION.items():
        off = [f"{LOSSES}.{loss}=0" for loss in without]
        steps = f"stages.main.steps={options.ablation_steps}"
        runs[row] = (kind.recipe, ["--set", *ours, steps, *AS_PUBLISHED, *off])
    steps = f"stages.main.steps={options.gan_steps}"
    poses = ["--prior", str(out / "poses.npz")]
    settings = [*common, "pairs=scenes", steps, *kind.prior]
    runs[KEYPOINT_GAN] = ("keypointgan-demo", [*poses, "--set", *settings])
    steps = f"stages.main.steps={options.steps}"
    runs[TEMPLATES] = (kind.recipe, ["--set", *ours, steps])
    return runs


def score(name: str, kind: Kind, out: Path, given: list[str]) -> dict[str, Any]:
    """The protocol's report of one run, or npz of predictions."""
    where = out / f"{Path(name).stem}-score"
    protocol = ["--protocol", kind.preset, "--out", str(where)]
    report, summary = where / "report.json", out / name / "summary.json"
    done = summary.is_file() and report.is_file()
    done = done and report.stat().st_mtime > summary.stat().st_mtime
    verb("evaluate", str(out / name), *given, *protocol, done=done)
    return json.loads(report.read_text())


def study(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Everything of one kind; its rows."""
    kind, out = KINDS[name], options.out / name
    COMMANDS.clear()
    out.mkdir(parents=True, exist_ok=True)
    make_data(kind, out, options.seed)
    threads = ["--threads", str(options.threads)] if options.threads else []
    rows: dict[str, Any] = {}
    for row, (recipe, given) in plan(kind, out, options).items():
        folder = row.replace(" ", "-")
        where = ["--data", str(out / "train"), "--out", str(out / folder), "--resume"]
        verb("train", recipe, *where, *threads, *given, done=finished(out / folder))
        found = score(folder, kind, out, ["--data", str(out / "test")])
        summary = json.loads((out / folder / "summary.json").read_text())
        rows[row] = figures(found) | {k: summary[k] for k in ("step", "cpu_seconds")}
    prior = RunConfig.load(out / KEYPOINT_GAN).open_prior(out / KEYPOINT_GAN)
    assert prior is not None  # KeypointGAN cannot be trained without
    write_mean_pose(prior, out / "test", out / "prior.npz")
    found = score("prior.npz", kind, out, [])
    rows[PRIOR] = figures(found)
    rows[LABELS] = {"percent": found["ours"][LABELS.replace(" test", "")]["all"]}
    # What diverged is farther off than anything.
    ablation = [rows[row]["percent"] or float("inf") for row in ABLATION]
    order = [LABELS, PRIOR, *reversed(ABLATION), KEYPOINT_GAN, TEMPLATES]
    return {
        "preset": kind.preset,
        "rows": {row: rows[row] for row in order},
        "ablation_in_the_published_order": ablation == sorted(ablation),
        **described(out),
    }


def figures(found: dict[str, Any]) -> dict[str, Any]:
    """Of a protocol's report: plain, sides forgiven, by activity or part; None where infinite."""
    plain, forgiven = (
        {
            key: value if value is not None and isfinite(value) else None
            for key, value in row.items()
        }
        for row in (found["ours"]["ours"], found["ours"]["ours, sides forgiven"])
    )
    return {"percent": plain["all"], "forgiven_percent": forgiven["all"], "by": forgiven}


def print_table(name: str, found: dict[str, Any]) -> None:
    print(f"\n| {name}: mean joint distance, % of the side | plain | sides forgiven | published |")
    print("|---|---:|---:|---:|")
    for row, values in found["rows"].items():
        cells = (values["percent"], values.get("forgiven_percent"), PUBLISHED.get(row))
        print(f"| {row} | {' | '.join('' if v is None else f'{v:.2f}' for v in cells)} |")
    print(f"ablation in the published order: {found['ablation_in_the_published_order']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("shape-templates"))
    parser.add_argument("--only", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--ablation-steps", type=int, default=500)
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--gan-steps", type=int, default=1000, help="after pre-training")
    parser.add_argument("--features", help="weights of SqueezeNet 1.1, torchvision's")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    for name in options.only:
        found = study(name, options)
        path = options.out / f"{name}.json"
        path.write_text(json.dumps(found, indent=1) + "\n")
        print_table(name, found)
        print(path)


if __name__ == "__main__":
    main()
