"""Make clips of synthetic people with exact joints, or unpaired poses for a prior."""

from __future__ import annotations

from typing import Annotated

import tyro
from rich.progress import Progress


def run(
    out: Annotated[str, tyro.conf.arg(metavar="DIR")],
    clips: int = 200,
    size: int = 64,
    frames: int = 32,
    fps: float = 15.0,
    seed: int = 0,
    first: int = 0,
    actors: int = 40,
    activities: tuple[str, ...] = (),
    frontal: float = 0.0,
    side: float = 0.0,
    travel: float = 0.6,
    difficulty: float = 0.3,
    motion: Annotated[tuple[str, ...], tyro.conf.arg(metavar="PATH...")] = (),
    poses_only: bool = False,
    threads: int | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
) -> None:
    """Make clips of synthetic people with exact joints, or unpaired poses for a prior.

    Args:
        out: The folder of clips to make; with --poses-only, a file ending in .npz.
        clips: How many clips.
        size: Side of the square frames in pixels.
        frames: Frames of each clip.
        fps: Frames per second.
        seed: Another seed gives other actors, rooms and motions.
        first: Number of the first clip; the same seed and number give the same clip.
        actors: How many different people appear.
        activities: What they do, such as: walk wave squat. All activities by default.
        frontal: Share of clips seen from the front.
        side: Share of clips seen from the left or right; the rest is seen from anywhere.
        travel: Metres within which people walk.
        difficulty: 0 for plain rooms and bright clothes, 1 for busy rooms and noise.
        motion: Motion-capture files or folders to move the actors by.
        poses_only: Write 3D poses of other actors, without pictures, as motion capture.
        threads: Clips rendered at a time, by default one a processor; does not change a byte.
        overwrite: Replace what a former run wrote.
        dry_run: Say what would be made, and stop.
    """
    from fastpose.data import synthetic

    config = synthetic.SyntheticConfig(
        activities=activities,
        actors=actors,
        travel=travel,
        difficulty=difficulty,
        camera=synthetic.CameraConfig(frontal=frontal, side=side),
    )
    if poses_only:
        motions = synthetic.motion_clips(
            clips, seed, frames_per_clip=frames, fps=fps, config=config
        )
        if dry_run:
            print(f"would write {clips * frames} poses of {clips} actors to {out}")
            return
        print(f"poses: {synthetic.write_poses(out, motions, overwrite=overwrite)}")
        return
    source = synthetic.RecordedMotion.from_path(motion) if motion else None
    people = synthetic.SyntheticPeople(size, frames, fps, seed, config=config, motion=source)
    if dry_run:
        print(f"would write {clips} clips of {frames} frames, {size}x{size}, to {out}")
        return
    with Progress() as bar:
        task = bar.add_task("frames", total=clips * frames)
        folder = synthetic.write_clips(
            out,
            clips,
            people,
            first=first,
            threads=threads,
            overwrite=overwrite,
            progress=lambda done, _: bar.update(task, completed=done * frames),
        )
    print(f"clips: {folder}\nsheet: {folder / 'sheet.png'}")
