from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from fastpose.errors import UserError
from fastpose.media.images import crop_window, image_size, read_image, resize, write_image


def ramp(height: int, width: int) -> np.ndarray:
    """Red grows with x, green with y."""
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = np.linspace(0, 240, width)[None]
    image[..., 1] = np.linspace(0, 240, height)[:, None]
    return image


def test_png_round_trip(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", ramp(20, 30))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), ramp(20, 30))
    assert image_size(tmp_path / "a.png") == (30, 20)
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_jpeg_and_grey(tmp_path: Path) -> None:
    write_image(tmp_path / "a.jpg", ramp(32, 32))
    assert np.abs(read_image(tmp_path / "a.jpg").astype(int) - ramp(32, 32)).mean() < 4
    write_image(tmp_path / "g.png", ramp(8, 9)[..., 0])
    np.testing.assert_array_equal(read_image(tmp_path / "g.png"), ramp(8, 9)[..., :1].repeat(3, 2))


def test_write_refuses_what_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="PNG or JPEG"):
        write_image(tmp_path / "a.bmp", ramp(4, 4))
    with pytest.raises(ValueError, match="uint8"):
        write_image(tmp_path / "a.png", np.zeros((4, 4, 3)))
    assert list(tmp_path.iterdir()) == []


def test_palette_alpha_sixteen_bits_cmyk(tmp_path: Path) -> None:
    image = ramp(16, 16)
    picture = PIL.Image.fromarray(image)
    picture.quantize(256).save(tmp_path / "p.png")
    assert np.abs(read_image(tmp_path / "p.png").astype(int) - image).max() < 40
    half = np.dstack([image, np.full((16, 16), 0, np.uint8)])
    half[:, 8:, 3] = 255
    PIL.Image.fromarray(half).save(tmp_path / "alpha.png")
    read = read_image(tmp_path / "alpha.png")
    assert (read[:, :8] == 255).all()
    np.testing.assert_array_equal(read[:, 8:], image[:, 8:])
    wide = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    PIL.Image.fromarray(wide).save(tmp_path / "w.png")
    read = read_image(tmp_path / "w.png")
    np.testing.assert_array_equal(read[..., 0], np.arange(256).reshape(16, 16))
    picture.convert("CMYK").save(tmp_path / "c.jpg")
    assert read_image(tmp_path / "c.jpg").shape == (16, 16, 3)


def test_animation_gives_its_first_frame(tmp_path: Path) -> None:
    frames = [PIL.Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert read_image(tmp_path / "a.gif")[5, 5].tolist() == [255, 0, 0]


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_exif_rotation(tmp_path: Path, orientation: int) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    PIL.Image.fromarray(ramp(32, 48)).save(tmp_path / "a.jpg", exif=exif, quality=95)
    turns = {3: 2, 6: 3, 8: 1}[orientation]
    expected = np.rot90(ramp(32, 48), turns)
    read = read_image(tmp_path / "a.jpg")
    assert read.shape == expected.shape
    assert image_size(tmp_path / "a.jpg") == (expected.shape[1], expected.shape[0])
    assert np.abs(read.astype(int) - expected).mean() < 6


def test_unusable_files_are_told_apart(tmp_path: Path) -> None:
    good = tmp_path / "good.png"
    write_image(good, np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    files = {"empty.png": b"", "text.jpg": b"hello", "cut.png": good.read_bytes()[:4000]}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    PIL.Image.fromarray(np.zeros((4, 4), np.float32)).save(tmp_path / "float.tif")
    messages = {
        "missing.png": "no such file",
        "": "is a folder",
        "empty.png": "empty (0 bytes)",
        "text.jpg": "is not a picture",
        "cut.png": "damaged",
        "float.tif": "floating point",
    }
    for name, message in messages.items():
        with pytest.raises(UserError) as caught:
            read_image(tmp_path / name)
        assert message in str(caught.value) and "\n" not in str(caught.value)


def test_decompression_bomb(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    PIL.Image.new("1", (12_000, 12_000)).save(tmp_path / "b.png")
    with pytest.raises(UserError, match="make it smaller"):
        read_image(tmp_path / "b.png")
    with pytest.raises(UserError, match="make it smaller"):
        image_size(tmp_path / "b.png", max_pixels=1000)
    assert not recwarn.list


def test_one_pixel_and_one_row(tmp_path: Path) -> None:
    for shape in ((1, 1), (1, 3000)):
        write_image(tmp_path / "x.png", ramp(*shape))
        assert read_image(tmp_path / "x.png").shape == (*shape, 3)


def test_resize_follows_the_pixel_convention() -> None:
    """p' = (p + 0.5) S'/S - 0.5: a linear ramp stays the same ramp."""
    image = np.repeat(np.arange(0, 200, 2, dtype=np.uint8)[None, :, None], 50, 0).repeat(3, 2)
    small = resize(image, (50, 25))
    places = (np.arange(50) + 0.5) * 2 - 0.5
    np.testing.assert_allclose(small[10, 3:-3, 0], 2 * places[3:-3], atol=1)
    assert resize(image, (100, 50)) is image


def spot(height: int, width: int, x: float, y: float) -> np.ndarray:
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    value = 250 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 4.0**2))
    return np.repeat(np.rint(value).astype(np.uint8)[..., None], 3, 2)


@pytest.mark.parametrize("window", [(19.5, 9.5, 64.0), (10.2, -8.7, 50.0), (-30.5, -20.5, 150.0)])
@pytest.mark.parametrize("size", [32, 64, 96])
def test_crop_window_places_points(window: tuple[float, float, float], size: int) -> None:
    """A point p lands on (p - corner) * size / side - 0.5."""
    x, y = 45.0, 30.0
    out = crop_window(spot(80, 120, x, y), window, size)[..., 0].astype(float)
    assert out.shape == (size, size)
    columns, rows = np.meshgrid(np.arange(size), np.arange(size))
    found = (out * columns).sum() / out.sum(), (out * rows).sum() / out.sum()
    expected = [(p - c) * size / window[2] - 0.5 for p, c in zip((x, y), window, strict=False)]
    np.testing.assert_allclose(found, expected, atol=0.1)


def test_crop_window_of_the_whole_is_the_picture_itself() -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    np.testing.assert_array_equal(crop_window(image, (-0.5, -0.5, 64), 64), image)
    np.testing.assert_array_equal(crop_window(image, (9.5, 19.5, 32), 32), image[20:52, 10:42])


def test_crop_window_repeats_the_edges_outside() -> None:
    image = ramp(40, 40)
    out = crop_window(image, (-20.5, -0.5, 40), 40)
    np.testing.assert_array_equal(out[:, :20], image[:, :1].repeat(20, 1))
    far = crop_window(image, (500.0, 500.0, 10), 8)
    assert (far == image[-1, -1]).all()


def test_crop_window_checks_its_arguments() -> None:
    for window in ((0, 0, 0), (0, 0, -5), (float("nan"), 0, 5)):
        with pytest.raises(ValueError, match="window"):
            crop_window(ramp(8, 8), window, 8)
