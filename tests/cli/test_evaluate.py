"""`fastpose evaluate` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fastpose.cli import main
from fastpose.data.clips import ClipWriter
from fastpose.media.images import read_image
from tests.training.small_run import make_prior

SHIFT = 4.0  # pixels that the labels of the second clip are to the right of the dots
DOTS = np.array([[16, 6], [8, 20], [24, 20]], np.float32)


@pytest.fixture
def arguments(blob_path: Path, paint, skeleton, tmp_path: Path) -> list[str]:
    """A detector of dots, two clips of dots with labels, and a prior."""
    frames = np.repeat(paint(32, 32, DOTS)[None], 3, axis=0)
    points = np.repeat(DOTS[None], 3, axis=0)
    with ClipWriter(tmp_path / "clips", 32, skeleton=skeleton) as writer:
        writer.add("a", frames, fps=10.0, activity="walk", keypoints=points, source="a.mp4")
        moved = points + np.array([SHIFT, 0], np.float32)
        writer.add("b", frames[:1], fps=10.0, activity="wave", keypoints=moved[:1])
    make_prior(tmp_path / "prior.npz")
    words = ["evaluate", blob_path, "--data", tmp_path / "clips", "--out", tmp_path / "out"]
    return [str(w) for w in [*words, "--prior", tmp_path / "prior.npz", "--threads", "1"]]


def test_report_table_and_sheet(arguments, tmp_path, capsys) -> None:
    assert main([*arguments, "--batch", "2"]) == 0
    text = capsys.readouterr().out
    assert "walk" in text and "wave" in text and "model" in text
    report = json.loads((tmp_path / "out/report.json").read_text())
    activities = report["methods"]["model"]["activities"]
    assert activities["walk"]["error_percent"] == pytest.approx(0, abs=0.5)
    shift = 100 * SHIFT / 32
    assert activities["wave"]["error_percent"] == pytest.approx(shift, abs=0.5)
    assert report["error_percent"] == pytest.approx(shift / 2, abs=0.5)
    assert report["error_forgiven_percent"] <= report["error_percent"]
    assert report["mean_pose_forgiven_percent"] > 1 and report["random_pose_forgiven_percent"] > 1
    assert report["frames"] == 4 and report["correct_sides"] == 1
    assert read_image(tmp_path / "out/sheet.png").ndim == 3


def test_labels_from_a_file(arguments, tmp_path, capsys) -> None:
    labels = tmp_path / "labels.npz"
    joints = ["head", "r_wrist", "l_wrist"]
    np.savez(labels, names=["x/a.mp4#1"], keypoints=DOTS[None], joint_names=joints)
    assert main([*arguments, "--labels", str(labels), "--joints", "head"]) == 0
    assert "joints    head" in capsys.readouterr().out
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert report["frames"] == 1 and report["error_percent"] == pytest.approx(0, abs=0.5)
    assert report["labels"] == str(labels)


def test_a_dry_run_writes_nothing(arguments, tmp_path, capsys) -> None:
    assert main([*arguments, "--dry-run"]) == 0
    assert "4 labelled frames of 2 clips" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_bad_input_ends_with_2_and_nothing_written(arguments, tmp_path, capsys) -> None:
    np.savez(tmp_path / "other.npz", names=["b.mp4#0"])
    no_prior = arguments[: arguments.index("--prior")]
    for words, message in [
        ([*arguments, "--labels", str(tmp_path / "gone.npz")], "gone.npz: no such file"),
        ([*arguments, "--labels", str(tmp_path / "other.npz")], "lacks keypoints, joint_names"),
        ([*arguments, "--joints", "l_wrist"], "together with the other side"),
        (no_prior, "name the poses for the baselines with --prior"),
        (["evaluate", "gone.onnx", *arguments[2:]], "gone.onnx"),
    ]:
        assert main(words) == 2
        error = capsys.readouterr().err
        assert error.startswith("fastpose: error: ") and message in error
        assert error.count("\n") == 1
        assert not (tmp_path / "out").exists()


def _by_protocol(arguments: list[str], name: str) -> list[str]:
    at = arguments.index("--prior")
    return [*arguments[:at], *arguments[at + 2 :], "--protocol", name]


def test_the_table_of_a_protocol(arguments, tmp_path, capsys) -> None:
    assert main(_by_protocol(arguments, "weizmann")) == 0
    text = capsys.readouterr().out
    assert "Weizmann actions" in text and "ours, sides forgiven" in text
    assert "2 of the protocol's 12 joints count" in text and "frames    4" in text
    report = json.loads((tmp_path / "out/report.json").read_text())
    shift = 100 * SHIFT / 32
    assert report["ours"]["ours"]["walk"] == pytest.approx(0, abs=0.5)
    assert report["ours"]["ours"]["wave"] == pytest.approx(shift, abs=0.5)
    assert report["ours"]["ours"]["all"] == pytest.approx(shift / 2, abs=0.5)
    for name in report["pictures"]:
        assert read_image(tmp_path / "out" / name).ndim == 3


def test_a_protocol_scores_a_file_of_predictions(tmp_path, capsys) -> None:
    joints = ["l_eye", "r_eye", "nose", "l_mouth", "r_mouth"]
    truth = np.random.default_rng(0).uniform(0, 64, (3, 5, 2))
    np.savez(tmp_path / "p.npz", predicted=truth, truth=truth, joint_names=joints)
    words = ["evaluate", str(tmp_path / "p.npz"), "--out", str(tmp_path / "out")]
    assert main([*words, "--protocol", "mafl"]) == 0
    assert "IMM, 10 points" in capsys.readouterr().out
    assert (tmp_path / "out/curve.png").is_file()


def test_a_dry_run_of_a_protocol(arguments, tmp_path, capsys) -> None:
    assert main([*_by_protocol(arguments, "infants"), "--dry-run"]) == 0
    assert "by infants (all, hips, knees" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_protocols_that_cannot_be(arguments, tmp_path, capsys) -> None:
    weizmann = _by_protocol(arguments, "weizmann")
    plain = [*arguments[: arguments.index("--data")], "--out", str(tmp_path / "out")]
    for words, message in [
        (_by_protocol(arguments, "wiezmann"), "did you mean 'weizmann'?"),
        (_by_protocol(arguments, "simplified-human36m"), "no frame is of"),
        ([*weizmann, "--prior", "mocap"], "--prior: a protocol has no poses of a prior"),
        ([*weizmann, "--fit", "table"], "--fit: a protocol"),
        ([*weizmann, "--regress", "imm"], "--regress: fits the landmarks of an npz"),
        ([*arguments, "--regress", "imm"], "--regress: belongs to a --protocol"),
        (plain, "--data: name the folder of clips"),
    ]:
        assert main(words) == 2
        error = capsys.readouterr().err
        assert error.startswith("fastpose: error: ") and message in error
        assert error.count("\n") == 1
        assert not (tmp_path / "out").exists()


def test_help_says_whose_framing_holds(capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", "--help"])
    assert ended.value.code == 0
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "A run's framing (fitted or not) is kept" in text
