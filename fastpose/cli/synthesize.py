"""Make clips of synthetic people with exact joints, or unpaired poses for a prior."""

from __future__ import annotations

from typing import Annotated, Any

import tyro
from rich.progress import Progress


def run(
    out: Annotated[str, tyro.conf.arg(metavar="DIR")],
    preset: str = "everyday",
    clips: int = 200,
    seed: int = 0,
    first: int = 0,
    size: int | None = None,
    frames: int | None = None,
    fps: float | None = None,
    actors: int | None = None,
    activities: tuple[str, ...] | None = None,
    frontal: float | None = None,
    side: float | None = None,
    height: tuple[float, float] | None = None,
    shift: float | None = None,
    travel: float | None = None,
    window: float | None = None,
    difficulty: float | None = None,
    noise: float | None = None,
    exposure: float | None = None,
    shadow: float | None = None,
    furniture: int | None = None,
    jpeg: int | None = None,
    motion: Annotated[tuple[str, ...], tyro.conf.arg(metavar="PATH...")] = (),
    backgrounds: Annotated[str | None, tyro.conf.arg(metavar="DIR")] = None,
    videos: bool = False,
    poses_only: bool = False,
    threads: int | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
) -> None:
    """Make clips of synthetic people with exact joints, or unpaired poses for a prior.

    A preset sets everything from --size to --jpeg; any of them given here overrides it.

    Args:
        out: The folder of clips to make; with --poses-only, a file ending in .npz.
        preset: everyday, human36m-like (one room, four cameras), infants (on their backs, from
            above), multiview (six calibrated cameras film each motion: six clips of it) or
            fashion (single pictures, varied clothes).
        clips: How many clips.
        seed: Another seed gives other actors, rooms and motions.
        first: Number of the first clip; the same seed and number give the same clip.
        size: Side of the square frames in pixels.
        frames: Frames of each clip.
        fps: Frames per second.
        actors: How many different people appear.
        activities: What they do, such as: walk wave squat; of infants: kick_legs wave_arms.
        frontal: Share of clips seen from the front.
        side: Share of clips seen from the left or right; the rest is seen from anywhere.
        height: Smallest and largest standing person, as a share of the picture's side; people are
            smaller where their motion would not fit.
        shift: How far people may be off the picture's middle, 0 to 1.
        travel: Metres within which people walk.
        window: Metres that a camera films at the place where people are, the same in all clips of a
            person, which then share their background (pairs=scenes); 0: a window around each
            motion, to which --height and --shift belong. Not with --furniture or --backgrounds,
            which differ from clip to clip.
        difficulty: 0 for plain rooms and bright clothes, 1 for busy rooms and noise.
        noise: Standard deviation of the sensor's noise, a share of white, in place of difficulty's.
        exposure: Motion blur: for what share of the time between two frames the shutter is open.
        shadow: Darkness of the shadow below people, 0 to 1.
        furniture: Pieces of furniture around every person, before and behind; 0 for none.
        jpeg: Quality, 1 to 95, with which frames are compressed; 0 for not at all.
        motion: Motion-capture files or folders to move the actors by, each with a body of its own.
        backgrounds: Folder of pictures, parts of which are shown behind people in place of rooms.
        videos: Write each clip as an MP4 too, with its joints and camera in an .npz beside it, into
            the sub-folder videos; the MP4 is lossy, the packed clips are not.
        poses_only: Write 3D poses of other actors, without pictures, as motion capture.
        threads: Clips rendered at a time, by default one a processor; does not change a byte
            (of videos, the encoder may).
        overwrite: Replace what a former run wrote.
        dry_run: Say what would be made, and stop.
    """
    from dataclasses import replace

    from fastpose.data import synthetic
    from fastpose.errors import UserError

    def given(**options: Any) -> dict[str, Any]:
        return {name: value for name, value in options.items() if value is not None}

    kind = synthetic.get_preset(preset)
    kind = replace(kind, **given(size=size, frames=frames, fps=fps))
    size, frames, fps = kind.size, kind.frames, kind.fps
    views = given(frontal=frontal, side=side, person_in_window=height, shift=shift, window=window)
    if window and (height is not None or shift is not None):
        raise UserError("--height, --shift: with --window people are where they go")
    if kind.config.camera.directions and (frontal is not None or side is not None):
        raise UserError(f"--frontal, --side: the cameras of preset '{preset}' stand still")
    config = replace(
        kind.config,
        **given(activities=activities, actors=actors, travel=travel, difficulty=difficulty),
        **given(furniture=furniture, jpeg=jpeg, noise=noise, exposure=exposure, shadow=shadow),
        camera=replace(kind.config.camera, **views),
    )
    if poses_only and motion:
        raise UserError("--poses-only: writes the package's own motion; leave out --motion")
    if poses_only and (backgrounds or videos):
        unused = "--backgrounds" if backgrounds else "--videos"
        raise UserError(f"--poses-only: writes no pictures; leave out {unused}")
    pictures = synthetic.Backgrounds(backgrounds) if backgrounds else None
    source = synthetic.RecordedMotion.from_path(motion) if motion else None
    people = synthetic.SyntheticPeople(
        size, frames, fps, seed, config=config, motion=source, backgrounds=pictures
    )
    if motion and config.body == "infant":
        print("note: --motion: infants move as recorded: who stands in it stands in the cot")
    if dry_run:
        what = "poses without pictures" if poses_only else f"frames of {size}x{size} pixels"
        print(f"would write {clips} clips of {frames} {what} to {out}")
        return
    if poses_only:
        file = synthetic.write_poses(
            out,
            clips,
            seed,
            frames_per_clip=frames,
            fps=fps,
            config=config,
            overwrite=overwrite,
        )
        print(f"poses: {file}")
        return
    with Progress() as bar:
        task = bar.add_task("frames", total=clips * frames)
        folder = synthetic.write_clips(
            out,
            clips,
            people,
            first=first,
            threads=threads,
            videos=videos,
            overwrite=overwrite,
            progress=lambda done, _: bar.update(task, completed=done * frames),
        )
    print(f"clips: {folder}\nsheet: {folder / 'sheet.png'}")
