from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from fastpose.data.clips import ClipStore
from fastpose.data.prepare import PrepareReport, prepare
from fastpose.data.prepare import run as run_module
from fastpose.errors import UserError
from fastpose.media.images import read_image
from tests.data.prepare.test_sources import pictures, strip
from tests.media import scenes


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with somebody who pauses on the way through, and somebody who stays."""
    folder = tmp_path_factory.mktemp("films")
    scene = scenes.room()
    xs = np.concatenate([np.linspace(-15, 80, 20), np.full(40, 80.0), np.linspace(80, 175, 20)])
    passing = [scenes.figure(scene, x, 12, 66, swing=float(np.sin(i))) for i, x in enumerate(xs)]
    scenes.write(folder / "pause.mp4", scenes.noisy([scene] * 30 + passing + [scene] * 30))
    scenes.write(folder / "wave.mp4", scenes.wave(40))
    return folder


def check_account(report: PrepareReport) -> None:
    """Every frame is used or has a reason."""
    for source in report.sources:
        assert source.used + sum(source.dropped.values()) == source.frames, source
    assert len(report.clips) == sum(s.clips for s in report.sources)


def leftovers(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_clips_sheet_and_account(films: Path, tmp_path: Path) -> None:
    calls: list[tuple[str, str, int, int | None]] = []
    report = prepare(
        [films], tmp_path / "out", size=48, masks=True, progress=lambda *c: calls.append(c)
    )
    check_account(report)
    assert report.out == tmp_path / "out" and report.problems == []
    store = ClipStore.open(tmp_path / "out")
    assert store.size == 48 and len(store.clips) == len(report.clips) >= 2
    pause, wave = report.sources
    assert pause.frames == 140 and pause.dropped["nobody in sight"] >= 55
    assert wave.used == 40 and "stays in place" in wave.note
    clip = next(c for c in store.clips if c.source == "pause.mp4" and 60 in (c.source_frames or ()))
    assert clip.mask is not None and clip.background is not None and clip.window is not None
    # The person takes most of the window's height and is in its middle.
    rows, columns = np.nonzero(clip.mask[np.searchsorted(clip.source_frames, 60)] > 127)
    assert 0.65 < (np.ptp(rows) + 1) / 48 < 0.9 and abs(columns.mean() - 23.5) < 9
    assert read_image(tmp_path / "out/sheet.png").shape[1] > 400
    info = store.info
    assert info["prepare"]["crop"] == "auto" and len(info["sources"]) == 2
    assert info["sources"][0]["dropped"] == pause.dropped
    assert {c[1] for c in calls} == {"looking", "cutting"} and calls[-1][2:] == (40, 40)


def test_full_keeps_everything(tmp_path: Path) -> None:
    for i, count in enumerate((6, 9)):
        strip(tmp_path / "strips" / f"s{i}.png", count)
    report = prepare([tmp_path / "strips"], tmp_path / "out", size=32, crop="full")
    check_account(report)
    store = ClipStore.open(tmp_path / "out")
    assert [(c.name, len(c), c.source) for c in store.clips] == [
        ("s0", 6, "s0.png"),
        ("s1", 9, "s1.png"),
    ]
    assert store.clips[1].frames[:, 5, 5, 0].tolist() == list(range(9))
    assert store.clips[0].source_frames == tuple(range(6)) and store.clips[0].mask is None


def test_full_puts_a_square_about_the_picture_and_divides_long_sources(tmp_path: Path) -> None:
    pictures(tmp_path / "walk", [f"{i}.png" for i in range(25)], 32, 48)
    prepare([tmp_path / "walk"], tmp_path / "out", size=24, crop="full", max_frames=10)
    store = ClipStore.open(tmp_path / "out")
    assert [len(c) for c in store.clips] == [8, 9, 8]
    assert store.clips[0].window == (-0.5, -8.5, 48)
    assert store.clips[2].frames[-1, 12, 12, 0] == 24


def test_boxes_take_the_place_of_looking(tmp_path: Path) -> None:
    frames = np.stack([np.full((120, 160, 3), i, np.uint8) for i in range(30)])
    scenes.write(tmp_path / "v.mp4", frames)
    rows = [f"v,{i},60,20,100,100" for i in range(5, 25)]
    (tmp_path / "b.csv").write_text("source,frame,x0,y0,x1,y1\n" + "\n".join(rows))
    report = prepare([tmp_path / "v.mp4"], tmp_path / "out", boxes=tmp_path / "b.csv")
    check_account(report)
    (clip,) = ClipStore.open(tmp_path / "out").clips
    assert clip.source_frames == tuple(range(5, 25)) and clip.window is not None
    x0, y0, side = clip.window
    assert abs(x0 + side / 2 - 80) <= 1 and abs(y0 + side / 2 - 60) <= 1 and 0.75 < 80 / side < 0.8


def test_dry_run_writes_nothing(films: Path, tmp_path: Path) -> None:
    report = prepare([films / "wave.mp4"], tmp_path / "out", dry_run=True)
    assert report.out is None and report.clips == [("wave", 40)]
    assert leftovers(tmp_path) == []


def test_twice_refuses_unless_told(films: Path, tmp_path: Path) -> None:
    again = {"sources": [films / "wave.mp4"], "out": tmp_path / "out", "size": 32}
    prepare(**again)
    before = (tmp_path / "out/index.json").stat().st_mtime_ns
    with pytest.raises(UserError, match="--overwrite"):
        prepare(**again)
    assert (tmp_path / "out/index.json").stat().st_mtime_ns == before
    prepare(**again, overwrite=True)
    assert leftovers(tmp_path) == ["out"]
    assert ClipStore.open(tmp_path / "out").frames_total == 40


def test_is_deterministic(films: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        prepare([films / "wave.mp4"], tmp_path / name, size=32, masks=True)
    first, second = (sorted((tmp_path / n).rglob("*.*")) for n in ("a", "b"))
    assert [p.name for p in first] == [p.name for p in second]
    assert all(p.read_bytes() == q.read_bytes() for p, q in zip(first, second, strict=True))


def test_an_interruption_leaves_nothing(films: Path, tmp_path: Path) -> None:
    def stop(source: str, what: str, done: int, total: int | None) -> None:
        if what == "cutting" and done == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare([films / "wave.mp4"], tmp_path / "out", progress=stop)
    assert leftovers(tmp_path) == []


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    path = scenes.write(tmp_path / "in/damaged.mp4", scenes.wave(60))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.75)])
    return path


def test_a_damaged_video_stops_everything(damaged: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--keep-going to use the \d+ frames before"):
        prepare([damaged], tmp_path / "out")
    assert leftovers(tmp_path) == ["in"]


def test_keep_going_uses_the_frames_before_the_damage(damaged: Path, tmp_path: Path) -> None:
    (tmp_path / "in/text.mp4").write_text("no video")
    report = prepare([damaged, tmp_path / "in/text.mp4"], tmp_path / "out", keep_going=True)
    store = ClipStore.open(tmp_path / "out")
    assert 16 <= store.frames_total < 60 and all(c.partial for c in store.clips)
    assert report.sources[0].partial and report.sources[0].used == store.frames_total
    assert len(report.problems) == 2 and "before the damage were used" in report.problems[0]
    assert "text.mp4" in report.problems[1] and store.info["problems"] == report.problems


def sound_only(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        silence = np.zeros((2, 1024), np.float32)
        frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout="stereo")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def make_bad(folder: Path, kind: str) -> Path:
    folder.mkdir()
    if kind == "text":
        (folder / "v.mp4").write_text("no video\n" * 40)
    elif kind == "zero bytes":
        (folder / "v.mp4").touch()
    elif kind == "sound":
        sound_only(folder / "v.mp4")
    elif kind == "one frame":
        scenes.write(folder / "v.mp4", scenes.wave(1))
    elif kind == "one picture":
        pictures(folder, ["a.png"], 64, 64)
    elif kind == "1x1":
        pictures(folder, [f"{i}.png" for i in range(30)], 1, 1)
    elif kind == "nobody":
        scenes.write(folder / "v.mp4", scenes.noisy([scenes.room()] * 40))
    elif kind == "damaged picture":
        pictures(folder, ["a.png", "b.png"], 64, 64)
        (folder / "a.png").write_bytes(b"\x89PNG")
    return folder


@pytest.mark.parametrize(
    ("kind", "message", "cure"),
    [
        ("empty", "holds no videos or pictures", "name one that does"),
        ("text", "not a readable video", "convert it with ffmpeg"),
        ("zero bytes", "empty (0 bytes)", "copy or record it again"),
        ("sound", "no video stream (only audio)", "give a file with pictures"),
        ("one frame", "no clip of 16 frames", "give longer videos or a lower --min-frames"),
        ("one picture", "no clip of 16 frames", "give longer videos"),
        ("1x1", "1 x 1 pixels are too small", "at least 16 x 16"),
        ("nobody", "no moving person was found (mostly: nobody in sight)", "--boxes"),
        ("damaged picture", "a.png", "JPEG, PNG"),
    ],
)
@pytest.mark.parametrize("keep_going", [False, True])
def test_bad_input_is_one_line_and_leaves_nothing(
    tmp_path: Path, kind: str, message: str, cure: str, keep_going: bool
) -> None:
    source = make_bad(tmp_path / "in", kind)
    with pytest.raises(UserError) as caught:
        prepare([source], tmp_path / "out", keep_going=keep_going)
    text = str(caught.value)
    assert message in text and cure in text and "\n" not in text and str(source) in text
    assert leftovers(tmp_path) == ["in"]


def test_one_frame_in_full_makes_no_clip(tmp_path: Path) -> None:
    strip(tmp_path / "s.png", 1)
    with pytest.raises(UserError, match="no clip of 2 frames"):
        prepare([tmp_path / "s.png"], tmp_path / "out", crop="full")


@pytest.mark.parametrize(
    "settings", [{"size": 3}, {"size": 5000}, {"min_frames": 0}, {"min_frames": 9, "max_frames": 8}]
)
def test_settings_out_of_range(tmp_path: Path, settings: dict[str, int]) -> None:
    with pytest.raises(UserError, match="expected"):
        prepare([tmp_path], tmp_path / "out", **settings)


def test_the_output_is_no_place_for_clips(films: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="is a file"):
        prepare([films], tmp_path / "file")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("x")
    with pytest.raises(UserError, match="mine"):
        prepare([films], tmp_path / "mine", overwrite=True)
    assert (tmp_path / "mine/thesis.txt").read_text() == "x"


def test_many_clips_share_one_sheet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "_SHEET_ROWS", 3)
    for i in range(7):
        strip(tmp_path / "s" / f"{i}.png", 5, side=16)
    prepare([tmp_path / "s"], tmp_path / "out", size=16, crop="full")
    few = read_image(tmp_path / "out/sheet.png")
    prepare([tmp_path / "s/0.png"], tmp_path / "one", size=16, crop="full")
    one = read_image(tmp_path / "one/sheet.png")
    assert one.shape[0] < few.shape[0] < 4 * one.shape[0]


def test_one_who_squats_in_the_shared_video_is_found_whole(
    shared_data: Path, tmp_path: Path
) -> None:
    film = shared_data / "video/squats_dance/pose_squats.mp4"
    report = prepare([film], tmp_path / "out", size=32)
    (clip,) = ClipStore.open(tmp_path / "out").clips
    assert len(clip) == 65 and "stays in place" in report.sources[0].note
    # By eye she is within 190..520 and 170..960 of the 720 x 1280 pixels, standing or squatting.
    assert clip.window is not None
    x0, y0, side = clip.window
    assert x0 < 190 and x0 + side > 520 and y0 < 170 and y0 + side > 960 and side < 1100


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_cuts_the_shared_video_into_its_six_visitors(shared_data: Path, tmp_path: Path) -> None:
    report = prepare([shared_data / "video/walk_through"], tmp_path / "out", dry_run=True)
    check_account(report)
    assert len(report.clips) == 6 and min(n for _, n in report.clips) > 60


def test_shared_strips_are_one_clip_each(shared_data: Path, tmp_path: Path) -> None:
    report = prepare([shared_data / "weizmann"], tmp_path / "out", crop="full", dry_run=True)
    assert len(report.clips) == 57 and sum(n for _, n in report.clips) == 4109
