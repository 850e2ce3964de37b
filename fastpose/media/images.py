"""Pictures: decoding to RGB, writing atomically, resizing, and cutting square windows."""

from __future__ import annotations

import io
import os
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import PIL.ExifTags
import PIL.Image
import PIL.ImageOps
from numpy.typing import NDArray

from fastpose.errors import UserError
from fastpose.files import replacing

Image = NDArray[np.uint8]

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".gif"}
)
# Pillow's own warning level; a picture of this size takes 256 MiB as RGB.
MAX_PIXELS = 89_478_485
_DECODE_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    IndexError,
    KeyError,
    TypeError,
)


def read_image(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> Image:
    """Decodes a picture to RGB uint8 (H, W, 3).

    The EXIF rotation is applied, palettes are expanded, transparency is laid over white, 16 bits
    become 8 (divided by 257), CMYK and grey become RGB, and of an animation the first frame is
    taken.

    Raises:
        UserError: Missing, a folder, empty, not a picture, truncated, or larger than ``max_pixels``
            pixels.
    """
    with _opened(path, max_pixels) as picture:
        return _to_rgb(picture)


def image_size(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """(width, height) that :func:`read_image` would give, from the file's header; same errors."""
    with _opened(path, max_pixels) as picture:
        turned = picture.getexif().get(PIL.ExifTags.Base.Orientation, 1) in (5, 6, 7, 8)
        width, height = picture.size
        return (height, width) if turned else (width, height)


@contextmanager
def _opened(path: str | os.PathLike[str], max_pixels: int) -> Iterator[PIL.Image.Image]:
    """The picture, its pixels not yet decoded; whatever goes wrong inside becomes a UserError."""
    path = Path(path)
    if not path.exists():
        raise UserError(f"{path}: no such file; check the path")
    if not path.is_file():
        raise UserError(f"{path}: is a folder, expected a picture")
    if path.stat().st_size == 0:
        raise UserError(f"{path}: the file is empty (0 bytes); copy it again")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the size is checked below, before a pixel is decoded
            picture = PIL.Image.open(path)
        with picture:
            width, height = picture.size
            if width * height > max_pixels:
                raise UserError(
                    f"{path}: {width} x {height} pixels is more than the {max_pixels} allowed; "
                    "make it smaller"
                )
            yield picture
    except UserError:
        raise
    except PIL.Image.DecompressionBombError:
        raise UserError(
            f"{path}: holds more than the {max_pixels} pixels allowed; make it smaller"
        ) from None
    except PIL.UnidentifiedImageError:
        raise UserError(
            f"{path}: is not a picture; give a JPEG, PNG or another usual format"
        ) from None
    except PermissionError:
        raise UserError(f"{path}: may not be read; check its permissions") from None
    except _DECODE_ERRORS as error:
        text = " ".join(str(error).split())[:80]
        raise UserError(f"{path}: the picture is damaged ({text}); copy it again") from None


def _to_rgb(picture: PIL.Image.Image) -> Image:
    picture.load()
    turned = PIL.ImageOps.exif_transpose(picture)
    if turned.mode.startswith("I"):  # 16-bit grey, in one of Pillow's spellings
        values = np.asarray(turned).astype(np.int64)
        grey = np.clip((values + 128) // 257, 0, 255).astype(np.uint8)
        return np.ascontiguousarray(np.repeat(grey[..., None], 3, axis=2))
    if turned.mode == "F":
        raise ValueError("floating point pixels have no agreed range")
    if turned.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in turned.info:
        rgba = turned.convert("RGBA")
        white = PIL.Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        turned = PIL.Image.alpha_composite(white, rgba)
    return np.array(turned.convert("RGB"), dtype=np.uint8)


def write_image(path: str | os.PathLike[str], image: Image) -> None:
    """Writes RGB uint8 (H, W, 3) or grey uint8 (H, W) as PNG or JPEG (by the name's ending),
    complete or not at all."""
    path = Path(path)
    kind = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}.get(path.suffix.lower())
    if kind is None:
        raise UserError(
            f"{path}: pictures are written as PNG or JPEG; give a name ending in .png or .jpg"
        )
    if (
        image.dtype != np.uint8
        or image.ndim not in (2, 3)
        or (image.ndim == 3 and image.shape[2] != 3)
    ):
        raise ValueError(
            f"image: expected uint8 (H, W, 3) or (H, W), got {image.dtype} {image.shape}"
        )
    buffer = io.BytesIO()
    options = {"quality": 92} if kind == "JPEG" else {}
    PIL.Image.fromarray(image).save(buffer, kind, **options)
    with replacing(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def resize(image: Image, size: tuple[int, int]) -> Image:
    """Scales uint8 (H, W, 3) or (H, W) to ``size`` = (width, height), antialiased when it shrinks.

    Pixel centres move by ``p' = (p + 0.5) * S'/S - 0.5``.
    """
    if (image.shape[1], image.shape[0]) == tuple(size):
        return image
    picture = PIL.Image.fromarray(np.ascontiguousarray(image))
    return np.array(picture.resize(size, PIL.Image.Resampling.BICUBIC), dtype=np.uint8)


def crop_window(image: Image, window: tuple[float, float, float], size: int) -> Image:
    """Cuts a square window out of uint8 (H, W, 3) or (H, W) and scales it to ``size`` x ``size``.

    ``window`` is (x0, y0, side): its top left outer corner in pixels whose centres are integers
    (the whole of a square picture is (-0.5, -0.5, S)). A point p of the picture lands on
    ``(p - (x0, y0)) * size / side - 0.5``. Parts outside repeat the picture's nearest edge pixel.
    """
    x0, y0, side = float(window[0]) + 0.5, float(window[1]) + 0.5, float(window[2])  # edges
    if not (np.isfinite([x0, y0, side]).all() and side > 0) or size < 1:
        raise ValueError(
            f"window: expected finite x0, y0 and a positive side and size, got {window}, {size}"
        )
    height, width = image.shape[:2]
    # Two pixels of margin let the antialiasing filter see the neighbours of the window's border.
    reach = int(np.ceil(2 * max(1.0, side / size)))
    left, top = int(np.floor(x0)) - reach, int(np.floor(y0)) - reach
    right, bottom = int(np.ceil(x0 + side)) + reach, int(np.ceil(y0 + side)) + reach
    if left >= 0 and top >= 0 and right <= width and bottom <= height:
        patch = image[top:bottom, left:right]
    else:
        columns = np.clip(np.arange(left, right), 0, width - 1)
        rows = np.clip(np.arange(top, bottom), 0, height - 1)
        patch = image.take(rows, axis=0).take(columns, axis=1)
    picture = PIL.Image.fromarray(np.ascontiguousarray(patch))
    box = (x0 - left, y0 - top, x0 - left + side, y0 - top + side)
    # A gap of 3: great reductions average whole pixels first, down to three times the size.
    out = picture.resize((size, size), PIL.Image.Resampling.BICUBIC, box=box, reducing_gap=3.0)
    return np.array(out, dtype=np.uint8)
