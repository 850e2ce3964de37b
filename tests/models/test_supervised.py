"""The supervised baseline: its loss, what labels it ignores, and a whole run of it by the verbs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fastpose import cli
from fastpose.errors import UserError
from fastpose.media.images import write_image
from fastpose.models.supervised import Supervised, SupervisedConfig
from fastpose.recipes import get_recipe, override
from fastpose.skeletons import get_skeleton
from fastpose.training.run import train_run
from tests.models.learning import share_left
from tests.training.small_run import make_clips, make_prior, quiet

SKELETON = get_skeleton("limbs12")
SMALL = SupervisedConfig(image_size=64, width=4, keypoint_extent=1.3)


@pytest.fixture
def model() -> Supervised:
    torch.manual_seed(0)
    return Supervised(SMALL, SKELETON)


def make_batch(count: int = 4) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(1)
    return {
        "target": torch.rand(count, 3, 64, 64, generator=generator) * 2 - 1,
        "points": torch.rand(count, 12, 2, generator=generator) * 1.6 - 0.8,
        "known": torch.ones(count, 12),
    }


def test_the_loss_is_the_mean_absolute_error_of_what_is_known(model: Supervised) -> None:
    batch = make_batch()
    batch["known"][0, 3] = 0.0
    points, _ = model.detector(batch["target"])
    error = (points - batch["points"]).abs()
    expected = (error.sum() - error[0, 3].sum()) / error.numel()
    torch.testing.assert_close(model.losses(batch, "main")["points"], expected)


def test_an_unknown_label_has_no_influence(model: Supervised) -> None:
    gradients = []
    for value in (0.0, 0.9):
        batch = make_batch()
        batch["known"][:, 3], batch["points"][:, 3] = 0.0, value
        model.zero_grad()
        model.losses(batch, "main")["points"].backward()
        gradients.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


def test_it_learns_the_labels_of_a_few_pictures(model: Supervised) -> None:
    assert share_left(model, model, make_batch(), "main", "points", 5e-3, 16) < 0.7


def test_points_reach_beyond_the_picture_as_far_as_the_extent(model: Supervised) -> None:
    with torch.no_grad():
        model.detector.encoder.head.weight *= 1e4  # one cell of each map takes all
        points, _ = model.train().detector(torch.randn(4, 3, 64, 64))
    assert float(points.abs().max()) == pytest.approx(1.3, abs=1e-3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_size": 100}, "model.image_size: expected one of"),
        ({"width": 0}, "model.width: must be positive"),
        ({"keypoint_extent": 0.5}, "model.keypoint_extent: expected 1 to 4"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        replace(SMALL, **changes)


def test_an_unknown_phase(model: Supervised) -> None:
    with pytest.raises(ValueError, match="phase: unknown to Supervised"):
        model.losses({}, "generator")


def small_recipe(*pairs: str) -> Any:
    changes = ["model.width=2", "stages.main.steps=8", "stages.main.batch_size=4", "log_every=2"]
    return override(get_recipe("supervised"), [*changes, "skeleton=limbs12", *pairs])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of eight steps beside its labelled clips and some poses."""
    folder = tmp_path_factory.mktemp("supervised")
    make_clips(folder / "clips", labels=SKELETON)
    make_prior(folder / "prior.npz")
    recipe = small_recipe("sheet_every=8")
    result = train_run(recipe, folder / "clips", (), folder / "run", threads=1, console=quiet())
    assert result.step == 8
    return folder


def test_a_run_is_sheets_and_scores_and_a_file_that_predicts(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (run / "run" / "sheets" / "step_000008.png").is_file()
    lines = (run / "run" / "metrics.jsonl").read_text().splitlines()
    assert all("main/points" in json.loads(line) for line in lines)
    common = ["evaluate", str(run / "run"), "--data", str(run / "clips")]
    assert cli.main([*common, "--out", str(run / "a"), "--prior", str(run / "prior.npz")]) == 0
    scores = json.loads((run / "a" / "report.json").read_text())
    assert 0.0 < scores["error_percent"] < 100.0
    assert cli.main([*common, "--out", str(run / "b"), "--protocol", "human36m-like"]) == 0
    model = run / "model.onnx"
    assert cli.main(["export", str(run / "run"), "--out", str(model)]) == 0
    assert json.loads((run / "model.report.json").read_text())["parity"]["max_error_px"] < 1e-2
    picture = run / "pictures"
    picture.mkdir()
    write_image(picture / "a.png", np.full((64, 64, 3), 90, np.uint8))
    assert cli.main(["predict", str(model), str(picture), "--out", str(run / "poses")]) == 0
    capsys.readouterr()


def test_a_run_that_was_stopped_goes_on_to_the_same_weights(run: Path, tmp_path: Path) -> None:
    halves = tmp_path / "run"
    options: dict[str, Any] = {"threads": 1, "console": quiet()}
    train_run(small_recipe("sheet_every=8"), run / "clips", (), halves, steps=3, **options)
    train_run(None, None, (), halves, resume=True, **options)
    names = [
        sorted((r / "checkpoints").iterdir())[-1] / "ema.safetensors" for r in (run / "run", halves)
    ]
    assert names[0].read_bytes() == names[1].read_bytes()


def test_clips_without_labels_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    make_clips(tmp_path / "clips")
    with pytest.raises(UserError, match="clip 'clip0' carries no keypoints"):
        train_run(small_recipe(), tmp_path / "clips", (), tmp_path / "run", console=quiet())
    assert not (tmp_path / "run").exists()
    with pytest.raises(UserError, match="--prior: the recipe 'supervised' learns without"):
        train_run(small_recipe(), tmp_path / "clips", ["x"], tmp_path / "run", console=quiet())
