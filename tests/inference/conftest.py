"""A detector whose answer is known: joint k is the centroid of the bright pixels of channel k."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from fastpose.inference.metadata import METADATA_KEY, ModelInfo
from fastpose.skeletons import Skeleton, make_skeleton

SIZE = 32


def blob_graph(size: int = SIZE) -> onnx.GraphProto:
    """uint8 (B, 3, S, S) -> centroid of intensity^4 of each channel, confidence = its maximum."""
    ramp = np.arange(size, dtype=np.float32)
    constants = {
        "four": np.array(4, np.float32),
        "floor": np.array(1e-6, np.float32),
        "white": np.array(255, np.float32),
        "x": ramp,
        "y": ramp[:, None].copy(),
        "axes": np.array([2, 3], np.int64),
        "last": np.array([2], np.int64),
    }
    node = helper.make_node
    nodes = [
        node("Cast", ["images"], ["f"], to=TensorProto.FLOAT),
        node("Div", ["f", "white"], ["unit"]),
        node("Pow", ["unit", "four"], ["p"]),
        node("Add", ["p", "floor"], ["w"]),
        node("ReduceSum", ["w", "axes"], ["total"], keepdims=0),
        node("Mul", ["w", "x"], ["wx"]),
        node("Mul", ["w", "y"], ["wy"]),
        node("ReduceSum", ["wx", "axes"], ["sx"], keepdims=0),
        node("ReduceSum", ["wy", "axes"], ["sy"], keepdims=0),
        node("Div", ["sx", "total"], ["px"]),
        node("Div", ["sy", "total"], ["py"]),
        node("Unsqueeze", ["px", "last"], ["ux"]),
        node("Unsqueeze", ["py", "last"], ["uy"]),
        node("Concat", ["ux", "uy"], ["keypoints"], axis=2),
        node("ReduceMax", ["unit", "axes"], ["confidence"], keepdims=0),
    ]
    return helper.make_graph(
        nodes,
        "blobs",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", 3, size, size])],
        [
            helper.make_tensor_value_info("keypoints", TensorProto.FLOAT, ["batch", 3, 2]),
            helper.make_tensor_value_info("confidence", TensorProto.FLOAT, ["batch", 3]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )


def make_model(graph: onnx.GraphProto, metadata: dict[str, str]) -> onnx.ModelProto:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(model, metadata)
    return model


@pytest.fixture(scope="session")
def skeleton() -> Skeleton:
    """Red is the head, green the right hand, blue the left hand."""
    return make_skeleton("blobs", "head r_wrist l_wrist", "head-r_wrist head-l_wrist")


@pytest.fixture(scope="session")
def info(skeleton: Skeleton) -> ModelInfo:
    return ModelInfo(skeleton, SIZE, {"step": 3}, {"fill": 0.5, "center_x": 0.5, "center_y": 0.5})


@pytest.fixture(scope="session")
def blob_model(info: ModelInfo) -> onnx.ModelProto:
    return make_model(blob_graph(), {METADATA_KEY: info.to_json()})


@pytest.fixture(scope="session")
def blob_path(blob_model: onnx.ModelProto, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model as a file."""
    path = tmp_path_factory.mktemp("model") / "model.onnx"
    path.write_bytes(blob_model.SerializeToString())
    return path


@pytest.fixture(scope="session")
def paint() -> Callable[..., np.ndarray]:
    """paint(height, width, [(x, y)] * 3): a dark picture with a red, a green and a blue dot."""

    def run(height: int, width: int, points: np.ndarray, radius: float = 2.0) -> np.ndarray:
        x, y = np.arange(width), np.arange(height)[:, None]
        image = np.zeros((height, width, 3), np.uint8)
        for channel, (px, py) in enumerate(points):
            distance = np.hypot(x - px, y - py)
            image[..., channel] = np.clip((radius + 0.5 - distance) * 255, 0, 255)
        return image

    return run
