"""What synthetic clips look like: the ranges that everything random is drawn from."""

from __future__ import annotations

from dataclasses import dataclass, field

from fastpose.data.synthetic.body import BODY_KINDS
from fastpose.data.synthetic.camera import CameraConfig
from fastpose.data.synthetic.motion import check_activities
from fastpose.errors import UserError, nearest

WARDROBES = ("plain", "textured", "infant")
_LEAST_WINDOW = 0.3
SCENES = ("wall", "room", "cot")


@dataclass(frozen=True)
class SyntheticConfig:
    """Ranges of the synthetic people.

    Args:
        activities: names to draw from; empty for all of them.
        actors: how many different people appear.
        bone_spread: largest deviation of a bone's length from the mean, a share.
        girth_spread: largest deviation of a part's radius from the mean, a share.
        travel: diameter in metres of the circle within which people walk.
        camera: ranges of the cameras.
        difficulty: 0 (plain rooms, clothes that stand out) to 1 (busy rooms, more sensor noise).
        noise: standard deviation of the sensor's noise, a share of white; None for what
            ``difficulty`` says, 0.004 to 0.024.
        exposure: share of the time from frame to frame in which the shutter is open, 0 to 1; people
            blur as far as they move in it, and their mask with them.
        shadow: darkness of the shadow at the feet, 0 to 1.
        blur: range of the blur's weight of either neighbour pixel, within 0 to 0.25.
        supersample: samples along a pixel's side.
        body: kind of the actors' bodies: "adult" or "infant".
        wardrobe: "plain" (coarse clothes of few colours), "textured" (patterns, sleeves and
            trousers of any length, finer faces) or "infant" (rompers, bodysuits, nappies).
        furniture: pieces that stand around every motion, before and behind the person.
        jpeg: quality, 1 to 95, with which frames are compressed and read back; 0 for not at all.
        heading: people are turned from the z axis at first, by at most so many degrees.
        scene: "wall" (a wall and a floor, other ones in every clip), "room" (one room for all
            clips of a seed, the same from all cameras) or "cot" (a mattress seen from above).
        synchronised: whether all of ``camera.directions`` film every motion at the same time;
            clip ``i`` is then motion ``i // cameras`` seen by camera ``i % cameras``. Otherwise
            every clip is a motion of its own, filmed by one of them.

    Raises:
        UserError: a value outside its range, or an unknown activity.
    """

    activities: tuple[str, ...] = ()
    actors: int = 40
    bone_spread: float = 0.1
    girth_spread: float = 0.25
    travel: float = 0.6
    camera: CameraConfig = field(default_factory=CameraConfig)
    difficulty: float = 0.3
    noise: float | None = None
    exposure: float = 0.0
    shadow: float = 0.35
    blur: tuple[float, float] = (0.03, 0.12)
    supersample: int = 2
    body: str = "adult"
    wardrobe: str = "plain"
    furniture: int = 0
    jpeg: int = 0
    heading: float = 0.0
    scene: str = "wall"
    synchronised: bool = False

    def __post_init__(self) -> None:
        check_activities(self.activities)
        check_range("actors", self.actors, 1, 2**31)
        check_range("bone_spread", self.bone_spread, 0, 0.5)
        check_range("girth_spread", self.girth_spread, 0, 0.6)
        check_range("travel", self.travel, 0, 100)
        check_range("difficulty", self.difficulty, 0, 1)
        check_range("noise", self.grain, 0, 0.5)
        check_range("exposure", self.exposure, 0, 1)
        check_range("shadow", self.shadow, 0, 1)
        check_range("blur", min(self.blur), 0, 0.25)
        check_range("blur", max(self.blur), 0, 0.25)
        check_range("supersample", self.supersample, 1, 8)
        check_choice("body", self.body, tuple(BODY_KINDS))
        check_choice("wardrobe", self.wardrobe, WARDROBES)
        check_choice("scene", self.scene, SCENES)
        check_range("furniture", self.furniture, 0, 50)
        check_range("jpeg", self.jpeg, 0, 95)
        check_range("heading", self.heading, 0, 180)
        camera = self.camera
        check_range("frontal", camera.frontal, 0, 1)
        check_range("side", camera.side, 0, 1)
        check_range("frontal plus side", camera.frontal + camera.side, 0, 1 + 1e-9)
        check_range("fov", min(camera.fov), 5, 120)
        check_range("fov", max(camera.fov), 5, 120)
        check_range("person_in_view", min(camera.person_in_view), 0.05, 1)
        check_range("height", min(camera.person_in_window), 0.05, 1)
        check_range("height", max(camera.person_in_window), 0.05, 1)
        check_range("shift", camera.shift, 0, 1)
        check_range("elevation", camera.elevation, -25, 90)
        check_range("eye", camera.eye, 0.1, 100)
        check_range("window", camera.window, 0, 10)
        if camera.window and camera.window < _LEAST_WINDOW:
            raise UserError(
                f"synthetic people: window must be 0 or at least {_LEAST_WINDOW:g} metres, not "
                f"{camera.window:g}: nobody would be seen in it"
            )
        if camera.window and self.furniture:
            raise UserError(
                "synthetic people: window is for clips that share their background; furniture "
                "stands elsewhere in every clip: leave one of them out"
            )
        for direction in camera.directions:
            check_range("directions", direction, -360, 360)
        if camera.directions:  # nobody walks into a camera
            check_range("distance", camera.distance, 1.5 + self.travel / 2, 1000)
        elif self.synchronised:
            raise UserError("synthetic people: synchronised cameras need directions")

    @property
    def grain(self) -> float:
        """Standard deviation of the sensor's noise, a share of white."""
        return 0.004 + 0.02 * self.difficulty if self.noise is None else self.noise

    @property
    def views(self) -> int:
        """How many clips show the same motion."""
        return len(self.camera.directions) if self.synchronised else 1


def check_choice(name: str, value: str, known: tuple[str, ...]) -> None:
    """UserError that names the setting unless ``value`` is one of ``known``."""
    if value not in known:
        hint = nearest(value, known)
        raise UserError(
            f"synthetic people: {name} must be one of {', '.join(known)}, not '{value}'{hint}"
        )


def check_range(name: str, value: float, low: float, high: float) -> None:
    """UserError that names the setting unless ``low <= value <= high`` (NaN fails too)."""
    if not low <= value <= high:
        raise UserError(f"synthetic people: {name} must be {low:g} to {high:g}, not {value:g}")
