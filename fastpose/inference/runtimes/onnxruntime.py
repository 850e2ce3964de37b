"""An exported detector on ONNX Runtime, on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fastpose.errors import UserError
from fastpose.inference.metadata import INPUT_NAME, METADATA_KEY, OUTPUT_NAMES, ModelInfo
from fastpose.inference.onnx_file import OnnxFile, read_onnx_file
from fastpose.inference.runtimes import check_crops


class OnnxRuntime:
    """A detector from an ONNX file that `fastpose export` wrote.

    Args:
        path: the file, or one already read (then `name` is used in messages).
        threads: threads of one call. They sleep between calls, they do not spin.

    Raises:
        UserError: see `read_onnx_file`; a file without our metadata, one whose inputs and outputs
            do not match it, one that ONNX Runtime cannot load; or ONNX Runtime is missing.
    """

    def __init__(
        self, path: str | Path | OnnxFile, *, threads: int = 1, name: str | None = None
    ) -> None:
        file = path if isinstance(path, OnnxFile) else read_onnx_file(path)
        label = name or ("model.onnx" if isinstance(path, OnnxFile) else str(path))
        if METADATA_KEY not in file.metadata:
            raise UserError(
                f"{label}: an ONNX model that fastpose did not export (no fastpose metadata); "
                "make one with fastpose export RUN --out model.onnx"
            )
        self.info = ModelInfo.from_json(file.metadata[METADATA_KEY], name=label)
        self._label = label
        self._session = _session(file, threads, label)
        _check_signature(self._session, self.info, label)
        plural = "" if threads == 1 else "s"
        self.name = f"onnxruntime {_import().__version__} (CPU, {threads} thread{plural})"

    def run(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `fastpose.inference.runtimes.Runtime.run`."""
        check_crops(crops, self.info.image_size)
        if len(crops) == 0:  # several ONNX operators are undefined on an empty batch
            count = len(self.info.skeleton.joints)
            return np.zeros((0, count, 2), np.float32), np.zeros((0, count), np.float32)
        planes = np.ascontiguousarray(crops.transpose(0, 3, 1, 2))
        try:
            points, confidence = self._session.run(list(OUTPUT_NAMES), {INPUT_NAME: planes})
        except Exception as error:  # as above: no common base class
            raise UserError(
                f"{self._label}: fails on a batch of {len(crops)}; export it again ({_line(error)})"
            ) from None
        return points, confidence


def _import() -> Any:
    try:
        import onnxruntime
    except ImportError:
        raise UserError(
            "running an ONNX model needs ONNX Runtime; pip install 'fastpose[onnx]'"
        ) from None
    return onnxruntime


def _session(file: OnnxFile, threads: int, label: str) -> Any:
    ort = _import()
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = 4  # errors reach the user as one line, below
    try:
        # From the checked bytes, so that nothing can change between the check and the load.
        return ort.InferenceSession(file.data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions share no base class below Exception
        raise UserError(
            f"{label}: ONNX Runtime cannot load it; export it again ({_line(error)})"
        ) from None


def _line(error: Exception) -> str:
    """The first line of an error of ONNX Runtime."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _check_signature(session: Any, info: ModelInfo, label: str) -> None:
    """UserError unless inputs and outputs are what the metadata promises."""
    size, count = info.image_size, len(info.skeleton.joints)
    wanted = {
        INPUT_NAME: ("tensor(uint8)", [3, size, size]),
        OUTPUT_NAMES[0]: ("tensor(float)", [count, 2]),
        OUTPUT_NAMES[1]: ("tensor(float)", [count]),
    }
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if [i.name for i in inputs] != [INPUT_NAME] or [o.name for o in outputs] != list(OUTPUT_NAMES):
        raise UserError(
            f"{label}: expected the input '{INPUT_NAME}' and the outputs "
            f"{', '.join(OUTPUT_NAMES)}; export it again"
        )
    for value in (*inputs, *outputs):
        kind, shape = wanted[value.name]
        if value.type != kind or list(value.shape[1:]) != shape or isinstance(value.shape[0], int):
            raise UserError(
                f"{label}: '{value.name}' should be {kind} (B, {', '.join(map(str, shape))}) by "
                f"its metadata, it is {value.type} {tuple(value.shape)}; export it again"
            )
