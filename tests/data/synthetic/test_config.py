"""Ranges are checked where they are set, and the error names the setting."""

from __future__ import annotations

import pytest

from fastpose.data.synthetic import CameraConfig, SyntheticConfig
from fastpose.data.synthetic.config import check_range
from fastpose.errors import UserError


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"actors": 0}, "actors"),
        ({"activities": ("wlak",)}, "did you mean 'walk'"),
        ({"difficulty": 1.5}, "difficulty"),
        ({"difficulty": float("nan")}, "difficulty"),
        ({"blur": (0.1, 0.4)}, "blur"),
        ({"supersample": 0}, "supersample"),
        ({"travel": -1.0}, "travel"),
        ({"noise": -0.1}, "noise"),
        ({"exposure": 1.5}, "exposure"),
        ({"shadow": 2.0}, "shadow"),
        ({"bone_spread": 0.9}, "bone_spread"),
        ({"girth_spread": 0.9}, "girth_spread"),
        ({"camera": CameraConfig(frontal=0.7, side=0.7)}, "frontal plus side"),
        ({"camera": CameraConfig(frontal=-0.1)}, "frontal"),
        ({"camera": CameraConfig(fov=(0.0, 60.0))}, "fov"),
        ({"camera": CameraConfig(person_in_window=(0.5, 1.4))}, "height"),
        ({"camera": CameraConfig(shift=3.0)}, "shift"),
        ({"camera": CameraConfig(elevation=120.0)}, "elevation"),
        ({"camera": CameraConfig(directions=(0.0, 999.0))}, "directions"),
        ({"camera": CameraConfig(directions=(0.0,), distance=1.0)}, "distance"),
        ({"camera": CameraConfig(directions=(0.0,), distance=5.0), "travel": 9.0}, "distance"),
        ({"camera": CameraConfig(directions=(0.0,), eye=0.0)}, "eye"),
        ({"camera": CameraConfig(directions=(0.0,), window=-1.0)}, "window"),
        ({"camera": CameraConfig(directions=(0.0,), window=float("nan"))}, "window"),
        ({"camera": CameraConfig(window=25.0)}, "window"),
        ({"camera": CameraConfig(window=0.1)}, "window must be 0 or at least 0.3"),
        ({"camera": CameraConfig(window=2.5), "furniture": 2}, "furniture stands elsewhere"),
        ({"synchronised": True}, "directions"),
        ({"body": "infnat"}, "did you mean 'infant'"),
        ({"scene": "beach"}, "scene"),
        ({"heading": 200.0}, "heading"),
        ({"wardrobe": "texturd"}, "did you mean 'textured'"),
        ({"furniture": -1}, "furniture"),
        ({"jpeg": 100}, "jpeg"),
    ],
)
def test_out_of_range(changes: dict[str, object], named: str) -> None:
    with pytest.raises(UserError, match=named):
        SyntheticConfig(**changes)  # type: ignore[arg-type]


def test_defaults_and_edges_are_in_range() -> None:
    SyntheticConfig()
    SyntheticConfig(camera=CameraConfig(frontal=0.6, side=0.4), difficulty=0.0, shadow=1.0)


def test_check_range_tells_what_came() -> None:
    check_range("x", 1, 1, 2)
    with pytest.raises(UserError, match="x must be 1 to 2, not 3"):
        check_range("x", 3, 1, 2)
