"""Write one ONNX file with the weights inside, checked against the model on real frames."""

from __future__ import annotations

from typing import Annotated

import tyro


def run(
    run: tyro.conf.Positional[str],
    /,
    out: Annotated[str, tyro.conf.arg(metavar="FILE.onnx")],
    data: Annotated[str | None, tyro.conf.arg(metavar="CLIPS")] = None,
    frames: int = 64,
    dry_run: bool = False,
) -> None:
    """Write one ONNX file with the weights inside, checked against the model on real frames.

    Args:
        run: A run directory (its newest complete checkpoint) or a checkpoint directory.
        out: The file to write; its report goes beside it as FILE.report.json.
        data: Clips on which to compare it with the model; by default those it was trained on.
        frames: How many frames to compare.
        dry_run: Say what would be done, and stop.
    """
    from fastpose.export.onnx import export_onnx, plan_export

    if dry_run:
        plan = plan_export(run, out, data=data)
        frames = min(frames, plan.store.frames_total)
        print(f"weights   {plan.checkpoint.folder} (step {plan.checkpoint.step})")
        print(f"compare   {frames} frames of {plan.data} ({plan.store.size} pixels)")
        print(f"write     {plan.out}\n          {plan.report}")
        return
    report = export_onnx(run, out, data=data, frames=frames)
    parity = report["parity"]
    print(f"weights   step {report['checkpoint']['step']}, {report['checkpoint']['sha256'][:12]}")
    print(
        f"compared  {parity['frames']} frames of {report['data']} with torch: "
        f"max {parity['max_error_px']:.2g} px, p99 {parity['p99_error_px']:.2g} px, "
        f"alone or in a batch {parity['batch_difference_px']:.2g} px"
    )
    print(f"written   {out} ({report['bytes'] / 1e6:.1f} MB, opset {report['opset']})")
