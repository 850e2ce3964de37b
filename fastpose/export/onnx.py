"""One ONNX file from a training run: weights inside, checked against torch before it is written."""

from __future__ import annotations

import json
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import fastpose
from fastpose.data.clips import ClipStore
from fastpose.errors import UserError
from fastpose.export.frames import clips_of_run, spread_frames
from fastpose.export.parity import ParityReport, check_parity, run_eager
from fastpose.files import explained, sha256, write_synced
from fastpose.inference.metadata import INPUT_NAME, METADATA_KEY, OUTPUT_NAMES, ModelInfo
from fastpose.inference.runtimes.torch import provenance
from fastpose.training.checkpoint import CheckpointInfo, describe, load_detector

OPSET = 20


@dataclass(frozen=True)
class ExportPlan:
    """What an export reads and writes, checked as far as that goes without building the model.

    Attributes:
        checkpoint: the weights that are exported.
        out, report: the files to write.
        data: folder of the clips on which the export is compared with torch.
        store: those clips.
    """

    checkpoint: CheckpointInfo
    out: Path
    report: Path
    data: Path
    store: ClipStore


def plan_export(run: str | Path, out: str | Path, *, data: str | Path | None = None) -> ExportPlan:
    """Find and check everything that `export_onnx` needs; arguments and errors as there."""
    _require_extra()
    out = Path(out)
    if out.suffix != ".onnx":
        raise UserError(f"{out}: exported models are ONNX files; give a name that ends in .onnx")
    if out.is_dir():
        raise UserError(f"{out}: is a folder; give the name of a file")
    if not out.parent.is_dir():
        raise UserError(f"{out}: the folder {out.parent} does not exist; create it first")
    checkpoint = describe(run)
    folder = clips_of_run(run) if data is None else Path(data)
    return ExportPlan(
        checkpoint, out, out.with_suffix(".report.json"), folder, ClipStore.open(folder)
    )


def export_onnx(
    run: str | Path, out: str | Path, *, data: str | Path | None = None, frames: int = 64
) -> dict[str, Any]:
    """Export the detector of a run, check it on real frames, and write it with its report.

    ``NAME.onnx`` and ``NAME.report.json`` appear together, after the check, or not at all.

    Args:
        run: a training run (its newest complete checkpoint) or a checkpoint directory.
        out: the file to write, ending in ``.onnx``.
        data: clips to compare on; None takes the clips the run was trained on.
        frames: how many frames to compare on, spread over all clips.

    Returns:
        The report: parity figures, file size, hash, and where the weights come from.

    Raises:
        UserError: an extra is missing, `run` or `data` cannot be read, or the exported model
            differs from torch by more than the tolerance.
    """
    plan = plan_export(run, out, data=data)
    model = load_detector(plan.checkpoint.folder)
    size = model.image_size
    if plan.store.size != size:
        raise UserError(
            f"{plan.data}: clips of {plan.store.size} x {plan.store.size} pixels, the model takes "
            f"{size}; give --data with clips of its size"
        )
    module = model.inference_module().eval()
    images = spread_frames(plan.store, frames)
    points, confidence = run_eager(module, images)
    if not (np.isfinite(points).all() and np.isfinite(confidence).all()):
        raise UserError(
            f"{plan.checkpoint.folder}: the model answers with NaN or infinity on frames of "
            f"{plan.data}; take an older checkpoint"
        )
    info = ModelInfo(
        skeleton=model.skeleton,
        image_size=size,
        checkpoint=provenance(plan.checkpoint),
        framing=measure_framing(points, size),
        fastpose_version=fastpose.__version__,
    )
    content = to_onnx(module, info)
    parity = check_parity(module, content, images)
    if not parity.passed:
        raise UserError(
            f"{plan.out}: not written, the exported model differs from torch by "
            f"{parity.worst_px:.3g} px on frames of {plan.data} ({parity.tolerance_px} px allowed)"
        )
    report = _report(plan, content, info, parity)
    text = json.dumps(report, indent=2, sort_keys=True) + "\n"
    _write_together({plan.out: content, plan.report: text.encode()})
    return report


def to_onnx(module: torch.nn.Module, info: ModelInfo) -> bytes:
    """The bytes of an ONNX file for a detector module on the CPU.

    Args:
        module: uint8 (B, 3, S, S) -> keypoints (B, K, 2) pixels, confidence (B, K); in eval mode.
        info: goes into the metadata; names S.

    Raises:
        UserError: the module needs an operator that ONNX does not have.
    """
    _require_extra()
    size = info.image_size
    example = torch.zeros((2, 3, size, size), dtype=torch.uint8)
    with _quiet():
        try:
            program = torch.onnx.export(
                module,
                (example,),
                dynamo=True,
                opset_version=OPSET,
                input_names=[INPUT_NAME],
                output_names=list(OUTPUT_NAMES),
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                external_data=False,
                verbose=False,
            )
        except (torch.onnx.OnnxExporterError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[0][:200]
            raise UserError(f"the model cannot be exported to ONNX: {reason}") from error
    assert program is not None
    proto = program.model_proto
    foreign = sorted(
        {node.domain for node in proto.graph.node if node.domain not in ("", "ai.onnx")}
    )
    if foreign or proto.functions:
        raise UserError(f"the exported graph needs custom operators ({', '.join(foreign)})")
    _strip(proto)
    proto.producer_name, proto.producer_version = "fastpose", info.fastpose_version
    entry = proto.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, info.to_json()
    return proto.SerializeToString(deterministic=True)


def measure_framing(points: np.ndarray, size: int) -> dict[str, float]:
    """How the person sits in the training windows, as the model itself sees it.

    Args:
        points: (N, K, 2) pixels of the S x S windows.
        size: S.

    Returns:
        ``fill``, the longer side of the joints' box, and ``center_x``, ``center_y``, its middle;
        all as shares of the window's side, medians over the frames.
    """
    low, high = points.min(axis=1), points.max(axis=1)
    center = np.median(((low + high) / 2 + 0.5) / size, axis=0)
    fill = float(np.median((high - low).max(axis=1)) / size)
    return {
        "fill": round(fill, 4),
        "center_x": round(float(center[0]), 4),
        "center_y": round(float(center[1]), 4),
    }


def _report(
    plan: ExportPlan, content: bytes, info: ModelInfo, parity: ParityReport
) -> dict[str, Any]:
    return {
        "format": "fastpose-export-report",
        "model": plan.out.name,
        "sha256": sha256(content),
        "bytes": len(content),
        "opset": OPSET,
        "fastpose_version": info.fastpose_version,
        "torch_version": torch.__version__,
        "skeleton": info.skeleton.name,
        "image_size": info.image_size,
        "checkpoint": info.checkpoint,
        "framing": info.framing,
        "data": str(plan.data),
        "parity": parity.to_dict(),
    }


def _strip(proto: Any) -> None:
    """Remove the exporter's notes: they hold source lines and the paths of this machine."""
    graph = proto.graph
    del graph.metadata_props[:]
    graph.doc_string = proto.doc_string = ""
    values = (graph.input, graph.output, graph.value_info, graph.initializer, graph.node)
    for item in (item for group in values for item in group):
        del item.metadata_props[:]
        item.doc_string = ""


def _require_extra() -> None:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"export needs {error.name}, which is not installed; pip install 'fastpose[onnx]'"
        ) from None


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter talks about torchvision and its own deprecations; errors still raise."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _write_together(files: dict[Path, bytes]) -> None:
    """Write every file under a temporary name, then rename all; on an error leave none behind."""
    temporary = {path: path.with_name(f".{path.name}.tmp-{os.getpid()}") for path in files}
    try:
        with explained(next(iter(files)), "the export"):
            for path, content in files.items():
                write_synced(temporary[path], content)
            for path in files:
                os.replace(temporary[path], path)
    finally:
        for path in temporary.values():
            path.unlink(missing_ok=True)
