"""Synthetic people: the embedded data source, with exact joints, masks and visibility."""

from fastpose.data.synthetic.camera import Camera, CameraConfig
from fastpose.data.synthetic.clips import write_clips
from fastpose.data.synthetic.config import SyntheticConfig
from fastpose.data.synthetic.people import (
    GeneratedMotion,
    MotionSource,
    SyntheticClip,
    SyntheticPeople,
)
from fastpose.data.synthetic.pictures import Backgrounds
from fastpose.data.synthetic.poses import motion_clips, motion_poses, write_poses
from fastpose.data.synthetic.presets import PRESETS, Preset, get_preset
from fastpose.data.synthetic.recorded import RecordedMotion

__all__ = [
    "PRESETS",
    "Backgrounds",
    "Camera",
    "CameraConfig",
    "GeneratedMotion",
    "MotionSource",
    "Preset",
    "RecordedMotion",
    "SyntheticClip",
    "SyntheticConfig",
    "SyntheticPeople",
    "get_preset",
    "motion_clips",
    "motion_poses",
    "write_clips",
    "write_poses",
]
