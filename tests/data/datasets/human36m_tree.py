"""A few seconds of Human3.6M in its own files, with two cameras that see the same body."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
from cdflib.cdfwrite import CDF

from fastpose.media.video import VideoWriter
from tests.data.datasets import trees

CAMERAS = ("54138969", "60457274")
SIZE = (240, 200)
INTRINSICS = np.array([300.0, 310.0, 118.0, 101.0])
LENGTH = 12


def camera_rotation(camera: str) -> np.ndarray:
    """From a world with z up to the camera, one from the front and one from 40 degrees aside."""
    angle = np.radians(40.0 * CAMERAS.index(camera))
    turn = np.array(
        [
            [np.cos(angle), np.sin(angle), 0.0],
            [-np.sin(angle), np.cos(angle), 0.0],
            [0.0, 0.0, 1.0],
        ]
    )
    return np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]) @ turn


def write_cdf(path: Path, pose: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    file = CDF(path, {"Compressed": 0, "Encoding": 6, "Majority": "row_major"})
    rows = pose.reshape(len(pose), -1).astype(np.float32)
    about = {"Variable": "Pose", "Data_Type": 44, "Num_Elements": 1, "Rec_Vary": True}
    file.write_var({**about, "Dim_Sizes": list(rows.shape), "Compress": 6}, var_data=rows[None])
    file.close()


def write_masks(path: Path, masks: np.ndarray) -> None:
    """A cell array of logical pictures, as MATLAB 7.3 stores it: references to transposes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        references = file.create_dataset("Masks", (len(masks), 1), dtype=h5py.ref_dtype)
        for i, mask in enumerate(masks):
            stored = file.create_dataset(f"#refs#/{i:05d}", data=mask.T.astype(np.uint8))
            references[i, 0] = stored.ref


def boxed(points: np.ndarray, margin: int = 5) -> np.ndarray:
    """(N,H,W) pictures that are 1 in the box about the points (N,K,2)."""
    masks = np.zeros((len(points), SIZE[1], SIZE[0]), bool)
    for mask, row in zip(masks, points, strict=True):
        x0, y0 = np.floor(row.min(0)).astype(int) - margin
        x1, y1 = np.ceil(row.max(0)).astype(int) + margin
        mask[max(y0, 0) : y1 + 1, max(x0, 0) : x1 + 1] = True
    return masks


def world_pose(seed: int) -> np.ndarray:
    """(N,32,3) mm: a body about the origin that moves slowly; some joints twice, as in reality."""
    rng = np.random.default_rng(seed)
    body = rng.uniform([-300, -150, -500], [300, 150, 500], (24, 3))
    body = np.concatenate([body, body[:8]])
    return body + np.arange(LENGTH)[:, None, None] * np.array([4.0, 0.0, 2.0])


def sequence(root: Path, subject: str, name: str, seed: int, extra: int = 1) -> None:
    """All files of one sequence; videos get ``extra`` frames more than there are labels."""
    folder, world = root / subject, world_pose(seed)
    poses = folder / "MyPoseFeatures"
    write_cdf(poses / "D3_Positions" / f"{name}.cdf", world)
    for camera in CAMERAS:
        solid = world @ camera_rotation(camera).T + np.array([0.0, 0.0, 2600.0])
        flat = solid[..., :2] / solid[..., 2:] * INTRINSICS[:2] + INTRINSICS[2:]
        write_cdf(poses / "D3_Positions_mono" / f"{name}.{camera}.cdf", solid)
        write_cdf(poses / "D2_Positions" / f"{name}.{camera}.cdf", flat)
        masks = boxed(flat)
        write_masks(folder / "MySegmentsMat/ground_truth_bb" / f"{name}.{camera}.mat", masks)
        write_masks(folder / "MySegmentsMat/ground_truth_bs" / f"{name}.{camera}.mat", masks)
        video = folder / "Videos" / f"{name}.{camera}.mp4"
        video.parent.mkdir(parents=True, exist_ok=True)
        with VideoWriter(video, 50.0, SIZE, quality=4, threads=1) as writer:
            for i in range(LENGTH + extra):
                writer.add(trees.dotted(SIZE, flat[min(i, LENGTH - 1)]))


def tree(root: Path, names: tuple[str, ...] = ("Directions 1", "Photo")) -> Path:
    """Two sequences of subject 1, one of 11, and empty folders for the others."""
    for subject in ("S5", "S6", "S7", "S8", "S9"):
        (root / subject / "Videos").mkdir(parents=True)
    for seed, name in enumerate(names):
        sequence(root, "S1", name, seed)
    sequence(root, "S11", "Directions", 9)
    return root
