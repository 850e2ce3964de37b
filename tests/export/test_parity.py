"""The comparison itself: what it measures, and that it cannot be passed by NaN."""

from __future__ import annotations

import numpy as np
import pytest

from fastpose.export.parity import BatchParity, ParityReport, run_eager


def _report(*errors: float, spread: float = 0.0) -> ParityReport:
    rows = tuple(BatchParity(i + 1, e, e / 2, 0.0) for i, e in enumerate(errors))
    return ParityReport(10, "test", 0.05, rows, spread)


@pytest.mark.parametrize(
    ("report", "passed"),
    [
        (_report(0.01, 0.05), True),
        (_report(0.01, 0.0501), False),
        (_report(0.01, 0.01, spread=0.06), False),
        (_report(float("nan"), 0.01), False),
        (_report(0.01, float("nan")), False),
        (_report(0.01, spread=float("nan")), False),
        (_report(float("inf")), False),
    ],
)
def test_what_passes(report: ParityReport, passed: bool) -> None:
    assert report.passed is passed
    assert report.to_dict()["passed"] is passed


def test_the_summary_is_the_worst_batch_size() -> None:
    summary = _report(0.01, 0.04, 0.02).to_dict()
    assert (summary["max_error_px"], summary["p99_error_px"]) == (0.04, 0.02)
    assert len(summary["by_batch"]) == 3 and summary["by_batch"][0]["batch"] == 1


def test_eager_batches_keep_the_order() -> None:
    import torch

    class Mean(torch.nn.Module):
        def forward(self, images):
            level = images.float().mean(dim=(1, 2, 3))
            return level[:, None, None].expand(-1, 2, 2), level[:, None].expand(-1, 2)

    images = (
        np.arange(37, dtype=np.uint8)[:, None, None, None].repeat(4, 1).repeat(4, 2).repeat(3, 3)
    )
    points, confidence = run_eager(Mean(), images)
    np.testing.assert_array_equal(points[:, 0, 0], np.arange(37))
    np.testing.assert_array_equal(confidence[:, 1], np.arange(37))
