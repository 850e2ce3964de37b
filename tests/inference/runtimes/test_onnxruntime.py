"""An exported file on ONNX Runtime: known answers, and files that are not what they say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from fastpose.errors import UserError
from fastpose.inference.metadata import METADATA_KEY, ModelInfo
from fastpose.inference.onnx_file import parse_onnx
from fastpose.inference.runtimes import available_cores, open_runtime
from fastpose.inference.runtimes.onnxruntime import OnnxRuntime
from fastpose.media.video import VideoWriter


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


def _open(model: onnx.ModelProto) -> OnnxRuntime:
    return OnnxRuntime(parse_onnx(model.SerializeToString(), name="m"), name="m.onnx")


def test_known_answer(blob_path: Path, info: ModelInfo, paint) -> None:
    runtime = open_runtime(blob_path, threads=1)
    assert runtime.info == info
    assert runtime.name.startswith("onnxruntime") and runtime.name.endswith("(CPU, 1 thread)")
    places = np.array([[[10, 4], [3, 20], [25, 15]], [[7, 7], [16, 28], [20, 9]]], np.float32)
    crops = np.stack([paint(32, 32, p) for p in places])
    points, confidence = runtime.run(crops)
    np.testing.assert_allclose(points, places, atol=0.01)
    np.testing.assert_allclose(confidence, 1.0)
    assert points.dtype == confidence.dtype == np.float32


def test_a_batch_gives_what_its_frames_give_alone(blob_path: Path) -> None:
    runtime = open_runtime(blob_path, threads=1)
    crops = np.random.default_rng(0).integers(0, 256, (7, 32, 32, 3), np.uint8)
    points, confidence = runtime.run(crops)
    for i, crop in enumerate(crops):
        alone, sure = runtime.run(crop[None])
        np.testing.assert_allclose(points[i], alone[0], atol=1e-4)
        np.testing.assert_allclose(confidence[i], sure[0], atol=1e-6)


def test_an_empty_batch(blob_path: Path) -> None:
    points, confidence = open_runtime(blob_path).run(np.zeros((0, 32, 32, 3), np.uint8))
    assert points.shape == (0, 3, 2) and confidence.shape == (0, 3)


@pytest.mark.parametrize(
    ("crops", "kind", "message"),
    [
        (np.zeros((1, 32, 32, 3), np.float32), TypeError, "uint8"),
        ([[1]], TypeError, "list"),
        (np.zeros((32, 32, 3), np.uint8), ValueError, r"\(B, 32, 32, 3\)"),
        (np.zeros((1, 3, 32, 32), np.uint8), ValueError, r"\(1, 3, 32, 32\)"),
        (np.zeros((1, 64, 64, 3), np.uint8), ValueError, r"\(1, 64, 64, 3\)"),
        (np.zeros((1, 32, 32, 4), np.uint8), ValueError, "crops"),
    ],
)
def test_wrong_crops_get_our_message(blob_path: Path, crops, kind, message: str) -> None:
    with pytest.raises(kind, match=message):
        open_runtime(blob_path).run(crops)


def test_a_model_of_somebody_else(blob_model: onnx.ModelProto) -> None:
    model = _copy(blob_model)
    del model.metadata_props[:]
    with pytest.raises(UserError, match="fastpose did not export"):
        _open(model)


def _rename_input(model: onnx.ModelProto) -> None:
    model.graph.input[0].name = model.graph.node[0].input[0] = "pixels"


def _rename_output(model: onnx.ModelProto) -> None:
    model.graph.output[1].name = model.graph.node[-1].output[0] = "score"


def _float_input(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT


def _other_size(model: onnx.ModelProto) -> None:
    for axis in (2, 3):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_value = 48


def _fixed_batch(model: onnx.ModelProto) -> None:
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1


def _extra_input(model: onnx.ModelProto) -> None:
    model.graph.input.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, [1]))


def _other_joints(model: onnx.ModelProto) -> None:
    entry = next(p for p in model.metadata_props if p.key == METADATA_KEY)
    info = ModelInfo.from_json(entry.value, name="m")
    from fastpose.skeletons import SKELETONS

    entry.value = ModelInfo(SKELETONS["coco17"], info.image_size).to_json()


def _unknown_operator(model: onnx.ModelProto) -> None:
    model.graph.node[0].op_type = "NoSuchOperator"


def _unknown_domain(model: onnx.ModelProto) -> None:
    model.opset_import.append(helper.make_opsetid("somebody", 1))
    model.graph.node[0].domain = "somebody"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_rename_input, "expected the input 'images'"),
        (_rename_output, "expected the input 'images' and the outputs keypoints, confidence"),
        (_float_input, "'images' should be|cannot load it"),
        (_other_size, "'images' should be|cannot load it"),
        (_fixed_batch, "'images' should be"),
        (_extra_input, "expected the input 'images'"),
        (_other_joints, "'keypoints' should be"),
        (_unknown_operator, "ONNX Runtime cannot load it"),
        (_unknown_domain, "ONNX Runtime cannot load it"),
    ],
)
def test_models_that_lie(blob_model: onnx.ModelProto, change, message: str) -> None:
    model = _copy(blob_model)
    change(model)
    with pytest.raises(UserError, match=message) as caught:
        _open(model)
    assert str(caught.value).startswith("m.onnx: ") and "\n" not in str(caught.value)


def test_threads_must_make_sense(blob_path: Path) -> None:
    with pytest.raises(UserError, match="threads must be at least 1, got 0"):
        open_runtime(blob_path, threads=0)
    assert available_cores() >= 1


def test_without_onnxruntime_the_error_names_the_extra(blob_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match=r"pip install 'fastpose\[onnx\]'"):
        open_runtime(blob_path)


def test_neither_import_nor_prediction_load_torch(blob_path: Path, tmp_path: Path) -> None:
    film = tmp_path / "a.mp4"
    with VideoWriter(film, 10.0, (64, 48), threads=1) as writer:
        for i in range(12):
            writer.add(np.roll(np.eye(48, 64, dtype=np.uint8)[..., None].repeat(3, 2) * 255, i, 1))
    code = f"""
import sys
import numpy as np
import fastpose
model = fastpose.load({str(blob_path)!r}, threads=1)
assert model.predict(np.zeros((40, 60, 3), np.uint8)).points.shape == (1, 3, 2)
from fastpose.inference.predict import predict_files
from fastpose.inference.sources import find_sources
report = predict_files(model, find_sources([{str(film)!r}]), {str(tmp_path / "out")!r})
assert report["processed"] == 12
heavy = [m for m in ("torch", "onnx", "safetensors", "rich", "tyro", "scipy") if m in sys.modules]
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])


def test_a_model_that_fails_while_running_is_a_user_error(blob_path: Path, monkeypatch) -> None:
    class Broken:
        def run(self, outputs, inputs):
            raise RuntimeError("[ONNXRuntimeError] : 6 : out of memory\nin node 7")

    runtime = OnnxRuntime(blob_path)
    monkeypatch.setattr(runtime, "_session", Broken())
    with pytest.raises(UserError, match=r"model\.onnx: fails on a batch of 2;.*out of memory\)"):
        runtime.run(np.zeros((2, 32, 32, 3), np.uint8))
