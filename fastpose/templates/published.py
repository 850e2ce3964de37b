"""Templates in the two JSON files of the published code (Schmidtke et al., CVPR 2021)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastpose.errors import UserError, nearest
from fastpose.files import parse_object
from fastpose.templates import Part, Template
from fastpose.templates.make import hang_together

# The published names call the left of the picture left; the person faces the camera, so that is
# their right. Names of the anchors, in the order of the published lists.
_PARTS: dict[str, tuple[str, tuple[str, ...]]] = {"core": ("core", ("pelvis", "thorax", "head"))}
for _theirs, _ours in (("left", "r"), ("right", "l")):
    for _published, _name, _anchors in (
        ("hip", "hip", ("pelvis", "hip")),
        ("thigh", "thigh", ("hip", "knee")),
        ("shin", "shin", ("knee", "ankle")),
        ("shoulder", "shoulder", ("thorax", "shoulder")),
        ("arm", "upper_arm", ("shoulder", "elbow")),
        ("forearm", "forearm", ("elbow", "wrist")),
        ("foot", "foot", ("ankle",)),
        ("hand", "hand", ("wrist",)),
    ):
        _PARTS[f"{_theirs} {_published}"] = (f"{_ours}_{_name}", _anchors)
_PARTS["head"] = ("head", ("head",))

_LIMBS = (
    ("pelvis", "thorax"),
    ("thorax", "head"),
    ("head", "head_top"),
    *(
        (f"{side}_{a}" if a not in ("pelvis", "thorax") else a, f"{side}_{b}")
        for side in "rl"
        for a, b in (
            ("pelvis", "hip"),
            ("hip", "knee"),
            ("knee", "ankle"),
            ("thorax", "shoulder"),
            ("shoulder", "elbow"),
            ("elbow", "wrist"),
        )
    ),
)
_ARM = ("upper_arm", "forearm", "hand")
_MIDLINE = ("pelvis", "thorax", "head")


def read_published(
    template: str | Path, anchors: str | Path, *, name: str, size: int = 256
) -> Template:
    """A template of the published format.

    Args:
        template: JSON of part name to ``center`` [row, column], ``sx`` (vertical at angle 0),
            ``sy`` (horizontal) and ``angle``.
        anchors: JSON of part name to a list of [x, y, 1].
        name: what to call it.
        size: side of its canvas.

    Raises:
        UserError: a file cannot be read, or a part is missing, unknown, or has other anchors.
    """
    shapes, points = _read(Path(template)), _read(Path(anchors))
    unknown = sorted(set(shapes) - set(_PARTS))
    if unknown:
        raise UserError(
            f"{template}: part '{unknown[0]}' is not one of the published template's"
            f"{nearest(unknown[0], _PARTS)}; write other bodies as a fastpose template"
        )
    missing = [part for part in _PARTS if part not in shapes or part not in points]
    if missing:
        raise UserError(f"{template}, {anchors}: part '{missing[0]}' is missing")
    parts = tuple(_part(part, shapes[part], points[part], str(template)) for part in shapes)
    return Template(
        name=name,
        size=size,
        parts=parts,
        pairs=hang_together(parts),
        joints=_joints(parts),
        limbs=_LIMBS,
        groups={f"{side}_arm": tuple(f"{side}_{part}" for part in _ARM) for side in "rl"},
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None
    return parse_object(path, text)


def _part(published: str, shape: Any, points: Any, where: str) -> Part:
    name, anchors = _PARTS[published]
    try:
        row, column = (float(x) for x in shape["center"])
        sigma = (float(shape["sy"]), float(shape["sx"]))
        places = [(float(p[0]), float(p[1])) for p in points]
        angle = float(shape["angle"])
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise UserError(
            f"{where}: part '{published}' needs center [row, column], sx, sy, angle and anchors "
            f"[x, y, 1] ({type(error).__name__}: {error})"
        ) from None
    if len(places) != len(anchors):
        raise UserError(
            f"{where}: part '{published}' has {len(places)} anchors, expected {len(anchors)}"
        )
    # Top of the head: as far above the Gaussian as its lower end, the anchor, lies below.
    marks = {"top": (column, 2 * row - places[0][1])} if name == "head" else {}
    return Part(name, (column, row), sigma, angle, dict(zip(anchors, places, strict=True)), marks)


def _joints(parts: tuple[Part, ...]) -> dict[str, tuple[str, ...]]:
    """The mean of the anchors that meet at a joint."""
    joints: dict[str, tuple[str, ...]] = {}
    for part in parts:
        for anchor in part.anchors:
            joint = anchor if anchor in _MIDLINE else f"{part.name[:2]}{anchor}"
            joints[joint] = (*joints.get(joint, ()), f"{part.name}.{anchor}")
        for mark in part.landmarks:
            joints[f"{part.name}_{mark}"] = (f"{part.name}.{mark}",)
    return joints
