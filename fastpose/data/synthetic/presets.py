"""Kinds of synthetic clips by name: ready settings, as data."""

from __future__ import annotations

from dataclasses import dataclass, field

from fastpose.data.synthetic.activities_indoor import INDOOR
from fastpose.data.synthetic.activities_infant import INFANT
from fastpose.data.synthetic.camera import CameraConfig
from fastpose.data.synthetic.config import SyntheticConfig
from fastpose.errors import lookup


@dataclass(frozen=True)
class Preset:
    """Settings of one kind of clips.

    Args:
        about: what it shows, in a few words.
        size: side of the frames in pixels.
        frames: frames of a clip.
        fps: frames per second.
        config: ranges of everything random.
    """

    about: str
    size: int = 64
    frames: int = 32
    fps: float = 15.0
    config: SyntheticConfig = field(default_factory=SyntheticConfig)


PRESETS: dict[str, Preset] = {
    "everyday": Preset("people doing everyday things before walls of many colours"),
    # Human3.6M: seven people of the training and test subjects, four cameras in the corners of one
    # room (Ionescu et al., PAMI 2014). Distance, height and size in the picture are assumed.
    "human36m-like": Preset(
        "one indoor room, four fixed cameras, seven people standing and walking in any direction",
        size=128,
        frames=64,
        fps=25.0,
        config=SyntheticConfig(
            activities=tuple(INDOOR),
            actors=7,
            travel=1.2,
            heading=180.0,
            scene="room",
            wardrobe="textured",
            camera=CameraConfig(
                directions=(45.0, 135.0, -135.0, -45.0),
                distance=4.8,
                eye=1.6,
                person_in_window=(0.65, 0.8),
                shift=0.3,
            ),
        ),
    ),
    "infants": Preset(
        "infants on their backs in a cot, seen from above, head at the top",
        size=128,
        frames=64,
        fps=25.0,
        config=SyntheticConfig(
            activities=tuple(INFANT),
            body="infant",
            scene="cot",
            wardrobe="infant",
            bone_spread=0.08,
            girth_spread=0.15,
            camera=CameraConfig(
                frontal=1.0,
                yaw_spread=8.0,
                elevation=80.0,
                pitch_std=5.0,
                roll_std=4.0,
                person_in_window=(0.6, 0.85),
                shift=0.4,
            ),
        ),
    ),
    "multiview": Preset(
        "every motion filmed by six calibrated cameras at the same time",
        size=128,
        frames=32,
        fps=25.0,
        config=SyntheticConfig(
            travel=1.2,
            heading=180.0,
            scene="room",
            wardrobe="textured",
            synchronised=True,
            camera=CameraConfig(
                directions=(0.0, 60.0, 120.0, 180.0, -120.0, -60.0),
                distance=4.0,
                eye=2.0,
                person_in_window=(0.6, 0.8),
                shift=0.3,
            ),
        ),
    ),
    "fashion": Preset(
        "single pictures of people in varied clothes, seen from the front",
        size=128,
        frames=1,
        config=SyntheticConfig(
            activities=("Posing", "Waiting", "stand"),
            actors=1_000_000,
            wardrobe="textured",
            travel=0.0,
            difficulty=0.0,
            camera=CameraConfig(
                frontal=0.85,
                side=0.1,
                yaw_spread=12.0,
                pitch_std=3.0,
                roll_std=0.5,
                person_in_window=(0.8, 0.92),
                shift=0.15,
            ),
        ),
    ),
}


def get_preset(name: str) -> Preset:
    """A preset by name; UserError with the nearest name where it is unknown."""
    return lookup("preset", name, PRESETS)
