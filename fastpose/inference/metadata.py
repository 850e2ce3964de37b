"""What an exported detector says about itself: the one JSON text stored in the file's metadata."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from fastpose.errors import UserError
from fastpose.skeletons import Skeleton

METADATA_KEY = "fastpose"
FORMAT = "fastpose-detector"
FORMAT_VERSION = 1
INPUT_NAME = "images"
OUTPUT_NAMES = ("keypoints", "confidence")
MAX_IMAGE_SIZE = 4096

CONVENTIONS = {
    "images": "uint8 (B, 3, S, S), RGB, a square window around one person",
    "keypoints": "float32 (B, K, 2), x before y, pixels of the S x S input, centres at integers",
    "confidence": "float32 (B, K), 0 to 1",
    "sides": "left and right are the person's own",
}


@dataclass(frozen=True)
class ModelInfo:
    """Everything a runtime must know about a detector besides its weights.

    Attributes:
        skeleton: names, limbs and sides of the K joints.
        image_size: S, the side in pixels of the square input.
        checkpoint: where the weights come from (recipe, step, stage, sha256, ...); may be empty.
        framing: how the person sits in the windows of the training clips, as shares of their
            side: ``fill`` (the joints' box), ``center_x``, ``center_y``; None where not known.
        fastpose_version: version that wrote the file.
    """

    skeleton: Skeleton
    image_size: int
    checkpoint: dict[str, Any] = field(default_factory=dict)
    framing: dict[str, Any] | None = None
    fastpose_version: str = ""

    def to_json(self) -> str:
        """The metadata text; `from_json` reads it back to an equal value."""
        return json.dumps(
            {
                "format": FORMAT,
                "format_version": FORMAT_VERSION,
                "fastpose_version": self.fastpose_version,
                "image_size": self.image_size,
                "skeleton": self.skeleton.to_dict(),
                "checkpoint": self.checkpoint,
                "framing": self.framing,
                "conventions": CONVENTIONS,
            },
            sort_keys=True,
        )

    @classmethod
    def from_json(cls, text: str, *, name: str) -> ModelInfo:
        """Parse and check the metadata text of the file called `name`.

        Raises:
            UserError: not JSON, not ours, of a newer format, or with a field that makes no sense.
        """
        try:
            record = json.loads(text)
        except (ValueError, RecursionError):
            raise UserError(f"{name}: its fastpose metadata is not JSON; export it again") from None
        if not isinstance(record, dict) or record.get("format") != FORMAT:
            raise UserError(f"{name}: its fastpose metadata does not describe a detector")
        version = record.get("format_version")
        if version != FORMAT_VERSION:
            raise UserError(
                f"{name}: metadata format {version!r}, this fastpose reads {FORMAT_VERSION}; "
                "export it again with this version, or upgrade fastpose"
            )
        size = record.get("image_size")
        if type(size) is not int or not 1 <= size <= MAX_IMAGE_SIZE:
            raise UserError(
                f"{name}: image_size must be 1 to {MAX_IMAGE_SIZE} pixels, got {size!r}"
            )
        if not isinstance(record.get("skeleton"), dict):
            raise UserError(f"{name}: the metadata holds no skeleton")
        try:
            skeleton = Skeleton.from_dict(record["skeleton"])
        except (UserError, OverflowError) as error:
            raise UserError(f"{name}: its skeleton is damaged: {error}") from None
        checkpoint, framing = record.get("checkpoint", {}), record.get("framing")
        if not isinstance(checkpoint, dict) or not (framing is None or isinstance(framing, dict)):
            raise UserError(f"{name}: checkpoint and framing in the metadata must be objects")
        return cls(
            skeleton=skeleton,
            image_size=size,
            checkpoint=checkpoint,
            framing=framing,
            fastpose_version=str(record.get("fastpose_version", "")),
        )
