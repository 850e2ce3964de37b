"""From a run to one file: complete, self-describing, equal to torch, or not there."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

import fastpose
from fastpose.errors import UserError
from fastpose.export import onnx as export
from fastpose.export import parity
from fastpose.export.onnx import export_onnx, measure_framing, plan_export, to_onnx
from fastpose.inference.metadata import METADATA_KEY, ModelInfo
from fastpose.skeletons import get_skeleton
from fastpose.training.checkpoint import describe, load_model


@pytest.fixture(scope="session")
def exported(run: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("export") / "model.onnx"
    return out, export_onnx(run, out, frames=9)


def test_the_file_is_one_whole_standard_model(exported) -> None:
    out, _ = exported
    assert sorted(p.name for p in out.parent.iterdir()) == ["model.onnx", "model.report.json"]
    model = onnx.load(out, load_external_data=False)
    onnx.checker.check_model(model, full_check=True)
    assert {node.domain for node in model.graph.node} <= {"", "ai.onnx"}
    assert not model.functions
    assert [i.name for i in model.graph.input] == ["images"]
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"


def test_it_says_what_it_is(exported, run: Path) -> None:
    out, _ = exported
    info = fastpose.load(out, threads=1).info
    source = describe(run)
    assert info.skeleton == get_skeleton("body18") and info.image_size == 64
    assert info.fastpose_version == fastpose.__version__
    assert info.checkpoint["sha256"] == source.sha256 and info.checkpoint["step"] == 0
    assert info.checkpoint["recipe"] == "keypointgan"
    weights = (source.folder / "ema.safetensors").read_bytes()
    assert hashlib.sha256(weights).hexdigest() == source.sha256
    assert info.framing is not None and 0 < info.framing["fill"] < 1.5


def test_nothing_of_this_machine_is_inside(exported) -> None:
    content = exported[0].read_bytes()
    for trace in (b"stack_trace", str(Path(__file__).parents[2]).encode(), b".py"):
        assert trace not in content


def test_the_report_is_true(exported, clips: Path) -> None:
    out, report = exported
    assert json.loads(out.with_suffix(".report.json").read_text()) == json.loads(json.dumps(report))
    content = out.read_bytes()
    assert report["sha256"] == hashlib.sha256(content).hexdigest()
    assert report["bytes"] == len(content) and report["data"] == str(clips)
    figures = report["parity"]
    assert figures["passed"] and figures["frames"] == 9
    assert [b["batch"] for b in figures["by_batch"]] == [1, 2, 7, 9]
    assert 0 <= figures["p99_error_px"] <= figures["max_error_px"] < 0.01
    assert figures["batch_difference_px"] < 0.01


def test_the_answer_is_that_of_the_averaged_weights(exported, run: Path) -> None:
    images = np.random.default_rng(3).integers(0, 256, (5, 64, 64, 3), np.uint8)
    poses = fastpose.load(exported[0], threads=1).predict(images)
    averaged = load_model(run).predict(images)
    last = load_model(run, ema=False).predict(images)
    np.testing.assert_allclose(poses.points, averaged.points, atol=0.01)
    np.testing.assert_allclose(poses.confidence, averaged.confidence, atol=1e-4)
    assert np.abs(poses.points - last.points).max() > 0.05


def test_the_same_run_gives_the_same_bytes(exported, run: Path, tmp_path: Path) -> None:
    export_onnx(run, tmp_path / "again.onnx", frames=9)
    assert (tmp_path / "again.onnx").read_bytes() == exported[0].read_bytes()


def test_a_checkpoint_directory_and_other_clips(run: Path, clips: Path, tmp_path: Path) -> None:
    (folder,) = (run / "checkpoints").iterdir()
    moved = tmp_path / "clips"
    shutil.copytree(clips, moved)
    plan = plan_export(folder, tmp_path / "m.onnx", data=moved)
    assert (plan.data, plan.checkpoint.folder) == (moved, folder)
    assert plan_export(folder, tmp_path / "m.onnx").data == clips  # its run's config names them
    assert not (tmp_path / "m.onnx").exists()


class Detector(torch.nn.Module):
    """A detector with something wrong."""

    def __init__(self, joints: int, fault: str) -> None:
        super().__init__()
        self.joints, self.fault = joints, fault

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        level = images.float().mean(dim=(1, 2, 3))
        points = level[:, None, None].expand(-1, self.joints, 2) / 10
        if self.fault == "nan":
            points = points / 0 * 0
        if self.fault == "batch":
            points = points + images.float().mean() * images.shape[0]
        return points, torch.ones_like(points[..., 0])


def _with_detector(monkeypatch, run: Path, fault: str) -> None:
    model = load_model(run)
    detector = Detector(len(model.skeleton.joints), fault)
    model.inference_module = lambda: detector  # type: ignore[method-assign]
    monkeypatch.setattr(export, "load_detector", lambda path: model)


@pytest.mark.parametrize(
    ("fault", "message"),
    [("nan", "answers with NaN or infinity"), ("batch", "differs from torch by .* px allowed")],
)
def test_a_wrong_detector_is_not_written(run, tmp_path, monkeypatch, fault, message) -> None:
    _with_detector(monkeypatch, run, fault)
    with pytest.raises(UserError, match=message):
        export_onnx(run, tmp_path / "model.onnx", frames=5)
    assert list(tmp_path.iterdir()) == []


def test_a_difference_over_the_tolerance_is_not_written(
    run, exported, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(export, "to_onnx", lambda module, info: exported[0].read_bytes())
    real = parity.run_eager
    monkeypatch.setattr(
        parity, "run_eager", lambda module, images: (real(module, images)[0] + 0.06, 0.5)
    )
    with pytest.raises(UserError, match=r"differs from torch by 0\.08\d* px .*0\.05 px allowed"):
        export_onnx(run, tmp_path / "model.onnx", frames=3)
    assert list(tmp_path.iterdir()) == []


def test_a_module_without_onnx_counterpart_is_a_user_error(run: Path) -> None:
    class Sorted(Detector):
        def forward(self, images):
            points, confidence = super().forward(images)
            if points.sum() > 0:  # depends on the data: no graph
                points = points + 1
            return points, confidence

    info = ModelInfo(get_skeleton("body18"), 64)
    with pytest.raises(UserError, match="cannot be exported to ONNX") as caught:
        to_onnx(Sorted(18, ""), info)
    assert "\n" not in str(caught.value)


def test_a_failing_disk_leaves_nothing_and_keeps_the_old(
    run, exported, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(export, "to_onnx", lambda module, info: exported[0].read_bytes())
    out = tmp_path / "model.onnx"
    out.write_bytes(b"old")

    def full(path: Path, data: bytes) -> None:
        path.write_bytes(data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export, "write_synced", full)
    with pytest.raises(UserError, match="disk became full"):
        export_onnx(run, out, frames=3)
    assert out.read_bytes() == b"old" and [p.name for p in tmp_path.iterdir()] == ["model.onnx"]


def test_arguments_that_cannot_be_used(run: Path, clips: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    cases: list[tuple[Any, Any, Any, str]] = [
        (run, tmp_path / "model.pt", None, r"ends in \.onnx"),
        (run, tmp_path / "no" / "model.onnx", None, "does not exist; create it first"),
        (tmp_path / "gone", tmp_path / "m.onnx", None, "no such folder"),
        (empty, tmp_path / "m.onnx", None, "holds no checkpoint"),
        (run, tmp_path / "m.onnx", tmp_path / "gone", "gone"),
        (run, tmp_path / "m.onnx", empty, "empty"),
    ]
    for source, out, data, message in cases:
        with pytest.raises(UserError, match=message):
            export_onnx(source, out, data=data)
    assert [p.name for p in tmp_path.iterdir()] == ["empty"]


def test_the_framing_is_measured_in_shares_of_the_window() -> None:
    points = np.array([[[15.5, 7.5], [31.5, 39.5], [23.5, 20.0]]] * 3, np.float32)
    framing = measure_framing(points, 64)
    assert framing == {"fill": 0.5, "center_x": 0.375, "center_y": 0.375}


def test_without_the_extra_the_error_names_it(run: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(UserError, match=r"needs onnxscript.*pip install 'fastpose\[onnx\]'"):
        export_onnx(run, tmp_path / "m.onnx")


def test_the_exported_file_runs_without_torch(exported) -> None:
    code = f"""
import sys, numpy as np, fastpose
poses = fastpose.load({str(exported[0])!r}).predict(np.zeros((90, 70, 3), np.uint8))
assert poses.points.shape == (1, 18, 2) and "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_metadata_key_is_the_only_one(exported) -> None:
    model = onnx.load(exported[0], load_external_data=False)
    assert [p.key for p in model.metadata_props] == [METADATA_KEY]
