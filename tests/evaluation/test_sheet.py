"""The picture of the best, median and worst frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fastpose.evaluation.baselines import evaluate
from fastpose.evaluation.labels import labels_of_store
from fastpose.evaluation.sheet import clip_pair, write_sheet
from fastpose.media.images import read_image
from tests.evaluation.painted import POSE, Answers, fixed_prior, write_clips


def test_predictions_and_labels_side_by_side(tmp_path: Path) -> None:
    clips = write_clips(tmp_path / "c", [{"frames": 6, "keypoints": np.repeat(POSE[None], 6, 0)}])
    labels = labels_of_store(clips)
    shifts = np.arange(6, dtype=np.float32)[:, None, None]
    report, poses = evaluate(Answers(POSE + shifts), clips, labels, fixed_prior())
    pair = clip_pair(clips, labels, poses)
    assert report.errors is not None
    errors = report.errors.forgiven
    write_sheet(tmp_path / "sheet.png", pair, errors, title=report.headline(), each=2)
    sheet = read_image(tmp_path / "sheet.png").astype(int)
    assert sheet.shape[0] > 3 * 144 and sheet.shape[1] >= 4 * 144
    coloured = np.ptp(sheet, axis=-1) > 60
    assert coloured.mean() > 0.005
    labels.visible[:] = False  # nothing is drawn beside the predictions any more
    write_sheet(tmp_path / "fewer.png", pair, errors, title=report.headline(), each=2)
    fewer = np.ptp(read_image(tmp_path / "fewer.png").astype(int), axis=-1) > 60
    assert 0.3 * coloured.sum() < fewer.sum() < 0.8 * coloured.sum()
