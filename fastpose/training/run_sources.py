"""Where the batches of a run come from: pairs of frames, poses, labelled frames, and bodies."""

from __future__ import annotations

import numpy as np

from fastpose.data.bodies import ClipBodies, MotionBodies, read_bodies
from fastpose.data.clips import ClipStore
from fastpose.data.labelled_frames import LabelledFrames
from fastpose.data.pairs import make_pairs
from fastpose.data.pose_prior import PosePrior
from fastpose.errors import UserError
from fastpose.skeletons import Skeleton
from fastpose.training.batches import Sources
from fastpose.training.checkpoint import load_detector
from fastpose.training.run_config import RunConfig


def open_sources(config: RunConfig, clips: ClipStore | None, poses: PosePrior | None) -> Sources:
    """The sources that the recipe's stages need; UserError where one cannot be had."""
    recipe = config.recipe
    needs, pairs, labelled, detected, keypoints = recipe.needs, None, None, None, None
    if "frames" in needs and clips is not None:
        pairs = make_pairs(
            recipe.pairs,
            clips,
            min_gap=recipe.min_gap,
            max_gap=recipe.max_gap,
            by_frames=recipe.by_frames,
        )
    if "labelled" in needs and clips is not None:
        labelled = read_bodies(clips, config.skeleton)
    if "detected" in needs and clips is not None:
        detected = detect_bodies(clips, config.skeleton, recipe.files.get("detector"))
    if "keypoints" in needs and clips is not None:
        keypoints = LabelledFrames(clips, config.skeleton)
    bodies = MotionBodies(poses) if "bodies" in needs and poses is not None else None
    return Sources(
        frames=pairs,
        poses=poses if "poses" in needs else None,
        bodies=bodies,
        labelled=labelled,
        detected=detected,
        keypoints=keypoints,
        augmentation=recipe.augmentation,
    )


def detect_bodies(clips: ClipStore, skeleton: Skeleton, detector: str | None) -> ClipBodies:
    """Labelled clips with the 2D joints that a trained model finds in them."""
    if detector is None:
        raise UserError("a stage needs detections: --set model.detector=RUN, a trained run")
    model = load_detector(detector)
    if model.image_size != clips.size:
        raise UserError(
            f"{clips.path}: its frames are {clips.size} x {clips.size}, the detector {detector} "
            f"takes {model.image_size} x {model.image_size}"
        )

    def detect(frames: np.ndarray) -> np.ndarray:
        return model.predict(frames).points

    return read_bodies(clips, skeleton, detect=detect, detected=model.skeleton)
