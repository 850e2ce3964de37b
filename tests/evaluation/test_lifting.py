"""Scores of lifting: what perfect, flat and scaled bodies get, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from fastpose.cli import main
from fastpose.data.bodies import ClipBodies
from fastpose.data.clips import ClipStore, ClipWriter
from fastpose.errors import UserError
from fastpose.evaluation.lifting import constant_depth, evaluate_lifting, is_lifting, score, table
from fastpose.evaluation.metrics.angles import bend_errors
from fastpose.evaluation.protocol_run import evaluate_protocol
from fastpose.models.lifting import Lifter, LiftingConfig
from fastpose.poses import Poses
from fastpose.recipes import get_recipe, override
from fastpose.skeletons import get_skeleton
from fastpose.training.run import train_run
from tests.data.test_bodies import people, write_clips

SKELETON = get_skeleton("h36m17")
ROOT = SKELETON.index("pelvis")


def make_bodies(depth: float = 0.3, count: int = 50) -> ClipBodies:
    positions = np.random.default_rng(0).normal(0.0, 0.3, (count, 17, 3)).astype(np.float32)
    positions[..., 2] *= depth / 0.3
    positions -= positions[:, ROOT : ROOT + 1]
    points = positions[..., :2] * 0.4 + 0.1
    return ClipBodies(points, positions, np.zeros(count, np.int64), np.arange(count))


class Exact(Lifter):
    """Knows the answers, up to a factor."""

    def __init__(self, bodies: ClipBodies, factor: float) -> None:
        super().__init__(LiftingConfig(width=4, blocks=0), SKELETON)
        self.bodies, self.factor = bodies, factor

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        assert np.allclose(points.numpy(), self.bodies.points, atol=1e-6)
        return torch.from_numpy(self.bodies.positions) * self.factor


def test_a_perfect_and_a_small_body() -> None:
    bodies = make_bodies()
    perfect, flat = score("here", bodies, Exact(bodies, 1.0))
    assert (perfect.mpjpe, perfect.n_mpjpe) == (0.0, pytest.approx(0.0, abs=1e-3))
    assert perfect.p_mpjpe == pytest.approx(0.0, abs=1e-3)
    small, _ = score("here", bodies, Exact(bodies, 0.5))
    reach = 1000.0 * np.linalg.norm(bodies.positions, axis=-1).mean()
    assert small.mpjpe == pytest.approx(0.5 * reach, rel=1e-5)
    assert small.n_mpjpe == pytest.approx(0.0, abs=1e-3)
    # Angles know nothing of scale; of a flat body they are those of its picture.
    assert perfect.bend == pytest.approx(0.0, abs=1e-3) and small.bend == pytest.approx(
        0.0, abs=1e-3
    )
    drawn = bend_errors(bodies.positions * [1, 1, 0], bodies.positions, SKELETON)
    assert flat.bend == pytest.approx(drawn.mean(), rel=1e-4) and drawn.mean() > 5.0
    # Flat bodies lose the depth and nothing else: the scale is told.
    assert flat.method == "constant depth"
    assert flat.mpjpe == pytest.approx(1000.0 * np.abs(bodies.positions[..., 2]).mean(), rel=1e-4)


def test_constant_depth_has_the_scale_of_the_truth() -> None:
    bodies = make_bodies()
    flat = constant_depth(bodies.points, bodies.positions, ROOT)
    assert np.allclose(flat[..., :2], bodies.positions[..., :2], atol=1e-5)
    assert not flat[..., 2].any()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A lifting run of a few steps on motion capture that is written here, and that capture."""
    folder = tmp_path_factory.mktemp("lifting")
    skeleton = get_skeleton("mocap19")
    positions = people(60).astype(np.float32)
    capture = folder / "people.npz"
    np.savez(
        capture,
        positions=positions,
        valid=np.ones(60, bool),
        clip_start=np.array([0]),
        clip_length=np.array([60]),
        clip_name=np.array(["a"]),
        clip_action=np.array(["stand"]),
        clip_subject=np.array(["1"]),
        fps=np.array(30.0),
        joint_names=np.array(skeleton.joints),
    )
    recipe = override(
        get_recipe("lifting"),
        ["model.width=32", "model.blocks=1", "stages.adults.steps=60", "prior.thinning=0.0"],
    )
    train_run(recipe, None, [capture], folder / "run", threads=1, device="cpu")
    return folder / "run", capture


def test_a_run_is_scored_on_motion_capture(run: tuple[Path, Path], tmp_path: Path) -> None:
    rows = evaluate_lifting(run[0], prior=[run[1]], poses=256, out=tmp_path / "out")
    assert [row.method for row in rows] == ["lifting", "constant depth"]
    assert all(0.0 < row.p_mpjpe <= row.n_mpjpe <= row.mpjpe + 1e-6 for row in rows)
    written = json.loads((tmp_path / "out/report.json").read_text())
    assert written["rows"][0]["mpjpe"] == rows[0].mpjpe and written["unit"] == "mm"
    assert written["rows"][0]["bend"] == rows[0].bend and written["bend_unit"] == "degrees"
    assert all(row.bend is not None and 0.0 < row.bend < 180.0 for row in rows)
    shown = table(rows)
    assert shown.row_count == 2
    assert shown.columns[-1].header == "bend error (degrees)"


def clips_of(store: ClipStore, out: Path, **facts: str) -> Path:
    """The same clips, said to be of somebody."""
    with ClipWriter(out, store.size, skeleton=store.skeleton) as writer:
        for clip in store.clips:
            writer.add(
                clip.name,
                np.asarray(clip.frames),
                fps=clip.fps,
                keypoints=np.asarray(clip.keypoints),
                keypoints3d=np.asarray(clip.keypoints3d),
                **facts,  # type: ignore[arg-type]
            )
    return out


def test_a_run_is_scored_by_protocols_in_space(run: tuple[Path, Path], tmp_path: Path) -> None:
    store = write_clips(tmp_path / "clips")
    clips = clips_of(store, tmp_path / "s9", actor="S9")
    (lifted, _) = evaluate_lifting(run[0], data=clips)
    for name in ("human36m-3d", "mpi-inf-3dhp"):
        out = tmp_path / name
        report = evaluate_protocol(run[0], name, clips, out=out)
        assert report.value("MPJPE") == pytest.approx(lifted.mpjpe, rel=1e-5)
        assert report.value("P-MPJPE") == pytest.approx(lifted.p_mpjpe, rel=1e-4)
        assert report.frames["all"] == 10 and report.joints == SKELETON.joints
        assert report.notes[0] == "lifted from the clips' own 2D joints"
        assert report.notes[1].startswith("2 frames of clips in space that lack a joint")
        written = json.loads((out / "report.json").read_text())
        assert all((out / picture).is_file() for picture in written["pictures"])
    infants = evaluate_protocol(run[0], "infants-3d", clips)
    assert "of the protocol's 16 joints count" in " ".join(infants.notes)
    # Splits and people are as of any other predictions.
    other = clips_of(store, tmp_path / "s1", actor="S1")
    with pytest.raises(UserError, match="all frames are of S1; human36m-3d tests on S9, S11"):
        evaluate_protocol(run[0], "human36m-3d", other)
    training = clips_of(store, tmp_path / "train", split="train")
    with pytest.raises(UserError, match="all frames are of the training split"):
        evaluate_protocol(run[0], "mpi-inf-3dhp", training)


def test_a_protocol_in_space_lifts_what_a_detector_finds(
    run: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = write_clips(tmp_path / "clips").path

    class Detector:
        image_size, skeleton = 64, SKELETON

        def predict(self, frames: np.ndarray) -> Poses:
            points = np.random.default_rng(0).uniform(0, 64, (len(frames), 17, 2))
            return Poses(
                points.astype(np.float32), np.ones((len(frames), 17), np.float32), SKELETON
            )

    monkeypatch.setattr("fastpose.training.run_sources.load_detector", lambda _: Detector())
    _, _, found, _ = evaluate_lifting(run[0], data=clips, detector="det")
    report = evaluate_protocol(run[0], "mpi-inf-3dhp", clips, detector="det")
    assert report.value("MPJPE") == pytest.approx(found.mpjpe, rel=1e-5)
    assert report.notes[0] == "lifted from the 2D joints that det finds"
    own = evaluate_protocol(run[0], "mpi-inf-3dhp", clips)
    assert abs(own.value("MPJPE") - report.value("MPJPE")) > 1.0  # type: ignore[operator]


def test_what_protocols_do_not_take_of_a_lifting_run(
    run: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evaluate", str(run[0]), "--out", str(tmp_path / "out")]
    for more, message in (
        (["--protocol", "penn-action", "--data", "c"], "penn-action does not score; take one of"),
        (["--protocol", "infants-3d"], "name their folder with --data"),
        (["--protocol", "infants-3d", "--data", "c", "--labels", "l.npz"], "--labels: "),
        (["--protocol", "infants-3d", "--data", "c", "--regress", "imm"], "--regress: "),
        (["--protocol", "infants-3d", "--prior", "m"], "--prior: a protocol has no poses"),
    ):
        assert main([*words, *more]) == 2
        assert message in capsys.readouterr().err
    clips = clips_of(write_clips(tmp_path / "clips"), tmp_path / "s9", actor="S9")
    assert main([*words, "--protocol", "human36m-3d", "--data", str(clips)]) == 0
    assert "Human3.6M in 3D" in capsys.readouterr().out
    assert (tmp_path / "out/report.json").is_file()


def test_a_lifting_run_resumes_and_needs_no_clips(run: tuple[Path, Path]) -> None:
    result = train_run(None, None, (), run[0], resume=True, threads=1, device="cpu")
    assert result.step == 60 and (run[0] / "metrics.jsonl").stat().st_size > 0
    assert not list((run[0]).glob("sheets/*"))


def test_what_cannot_be_scored_is_named(run: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing to score on"):
        evaluate_lifting(run[0])
    with pytest.raises(UserError, match="give --data too"):
        evaluate_lifting(run[0], prior=[run[1]], detector="x")
    with pytest.raises(UserError, match="--data: the recipe 'lifting' learns without"):
        recipe = get_recipe("lifting")
        train_run(recipe, tmp_path, [run[1]], tmp_path / "other", device="cpu")
    with pytest.raises(UserError, match="give --prior"):
        train_run(get_recipe("lifting"), None, (), tmp_path / "other", device="cpu")


def test_lifting_is_known_by_its_run_and_by_a_checkpoint_alone(
    run: tuple[Path, Path], tmp_path: Path
) -> None:
    checkpoint = next((run[0] / "checkpoints").iterdir())
    shutil.copytree(checkpoint, tmp_path / "moved")
    assert is_lifting(run[0]) and is_lifting(checkpoint) and is_lifting(tmp_path / "moved")
    assert not is_lifting(run[1]) and not is_lifting(tmp_path / "gone")


def test_a_lifting_run_detects_nothing(run: tuple[Path, Path]) -> None:
    from fastpose.inference import load

    with pytest.raises(UserError, match="finds no joints in pictures"):
        load(str(run[0]))


def test_the_verb_scores_lifting_runs(
    run: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evaluate", str(run[0]), "--prior", str(run[1]), "--out", str(tmp_path / "out")]
    assert main([*words, "--dry-run"]) == 0
    assert "would score" in capsys.readouterr().out and not (tmp_path / "out").exists()
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert "constant depth" in shown and "bend error (degrees)" in shown
    assert (tmp_path / "out/report.json").is_file()
    assert main([*words, "--labels", "x.npz"]) == 2
    assert "--labels: " in capsys.readouterr().err
    assert main(["evaluate", str(tmp_path), "--detector", "x", "--out", "o"]) == 2
