"""Drawing unpaired poses: where they lie, from which side, how fast, and what is refused."""

from __future__ import annotations

import time
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from fastpose.data.pose_prior import PosePrior, PriorConfig, draw_yaw
from fastpose.errors import UserError
from fastpose.skeletons import conversion_matrix, get_skeleton
from tests.data.bodies import J, body, bowing, waving, write_npz
from tests.data.test_prior_table import table

SKELETON = get_skeleton("mocap19")
EXACT = PriorConfig(
    bone_jitter=0.0,
    frontal_share=1.0,
    side_share=0.0,
    yaw_spread=0.0,
    pitch_sd=0.0,
    roll_sd=0.0,
    distance=(1e6, 1e6),
    height=0.8,
    height_sd=0.0,
    top=0.1,
    top_sd=0.0,
    centre_sd=0.0,
    outside_limit=0.0,
    mirror=False,
)


def prior(config: PriorConfig = EXACT, skeleton: str = "mocap19", **changes: object) -> PosePrior:
    config = replace(config, **changes)  # type: ignore[arg-type]
    return PosePrior.from_motions([waving(), bowing()], get_skeleton(skeleton), config)


def draw(chosen: PosePrior, n: int = 2000, seed: int = 0) -> np.ndarray:
    return chosen.sample(n, np.random.default_rng(seed))


def test_shape_type_and_statelessness() -> None:
    chosen = prior(PriorConfig(), "body18")
    found = draw(chosen, 100)
    assert found.shape == (100, 18, 2) and found.dtype == np.float32
    np.testing.assert_array_equal(draw(chosen, 100), found)
    assert not np.array_equal(draw(chosen, 100, seed=1), found)
    assert chosen.sample(0, np.random.default_rng(0)).shape == (0, 18, 2)


def test_the_standing_person_is_where_the_config_says() -> None:
    found = draw(prior(actions=("wav",)))
    top, sole = found[:, J["head_top"], 1], found[:, [J["l_toe"], J["r_toe"]], 1].max(axis=1)
    # 0.1 and 0.9 of the side; a body height counts a little more than the stretched bones.
    np.testing.assert_allclose(top, -0.8, atol=0.06)
    np.testing.assert_allclose(sole, 0.8, atol=0.03)
    np.testing.assert_allclose(found[:, J["pelvis"], 0], 0.0, atol=1e-5)
    assert (found[:, J["l_shoulder"], 0] > found[:, J["r_shoulder"], 0]).all()


def test_a_bow_lowers_the_head_and_not_the_ground() -> None:
    found = draw(prior(actions=("bow",)))
    assert np.ptp(found[:, J["head_top"], 1]) > 0.4
    assert np.ptp(found[:, J["l_ankle"], 1]) < 0.02


def test_a_mirrored_pose_is_reflected_with_its_sides() -> None:
    one = PosePrior.from_poses3d(np.stack([body(left=90.0)] * 2), SKELETON, EXACT)
    both = PosePrior.from_poses3d(
        np.stack([body(left=90.0)] * 2), SKELETON, replace(EXACT, mirror=True)
    )
    raised = draw(one)[:, J["l_wrist"], 0]
    assert (raised > 0.3).all()
    found = draw(both)
    right = found[:, J["r_wrist"], 0] < -0.3
    assert 0.45 < right.mean() < 0.55
    np.testing.assert_allclose(found[~right][:, J["l_wrist"], 0], raised[0], atol=1e-5)
    np.testing.assert_allclose(found[right][:, J["r_wrist"], 0], -raised[0], atol=1e-5)


def test_yaw_is_a_mixture() -> None:
    config = PriorConfig(frontal_share=0.5, side_share=0.3, yaw_spread=5.0)
    yaw = draw_yaw(config, 40000, np.random.default_rng(0))
    around = [(np.abs((yaw - c + 180) % 360 - 180) < 20).mean() for c in (0, 90, -90, 180)]
    rest = 0.2 * 40 / 360
    np.testing.assert_allclose(around, [0.5 + rest, 0.15 + rest, 0.15 + rest, rest], atol=0.01)


def test_side_views_are_narrow() -> None:
    front, side = (
        prior(actions=("bow",)),
        prior(actions=("bow",), frontal_share=0.0, side_share=1.0),
    )
    width = [
        np.abs(f[:, J["l_hip"], 0] - f[:, J["r_hip"], 0]).mean() for f in (draw(front), draw(side))
    ]
    assert width[1] < 0.05 * width[0]


def test_cut_poses_end_at_the_border() -> None:
    cut = prior(cut_share=1.0, cut_height=1.6, cut_height_sd=0.0, outside_limit=1.0)
    found = draw(cut)
    assert found.min() >= -1.0 and found.max() <= 1.0
    np.testing.assert_allclose(found[:, [J["l_ankle"], J["r_ankle"]], 1], 1.0, atol=1e-6)
    free = draw(prior(cut_share=1.0, cut_height=1.6, cut_height_sd=0.0))
    assert free[:, J["l_ankle"], 1].min() > 1.5
    # What is visible is the same: hips lie inside in both.
    np.testing.assert_allclose(found[:, J["l_hip"]], free[:, J["l_hip"]], atol=1e-6)


def test_box_framing_fills_the_crop() -> None:
    found = draw(prior(framing="box", height=0.7))
    np.testing.assert_allclose(np.ptp(found, axis=1).max(axis=1), 1.4, atol=1e-5)


def test_other_skeletons_are_conversions() -> None:
    all_of_it, some = draw(prior()), draw(prior(skeleton="limbs12"))
    matrix = conversion_matrix(SKELETON, get_skeleton("limbs12"))
    np.testing.assert_allclose(some, matrix @ all_of_it, atol=1e-6)


def test_recombination_makes_new_poses() -> None:
    plain, mixed = prior(actions=("bow",)), prior(recombination=1.0)
    lifted = draw(mixed)[:, J["l_wrist"], 1] < draw(mixed)[:, J["thorax"], 1]
    hanging = draw(plain)[:, J["l_wrist"], 1] < draw(plain)[:, J["thorax"], 1] - 0.1
    assert lifted.mean() > 0.1 > hanging.mean()


def test_the_mean_pose() -> None:
    chosen = prior(PriorConfig(outside_limit=1.0))
    mean = chosen.mean_pose()
    np.testing.assert_allclose(mean, draw(chosen, 8000, seed=5).mean(axis=0), atol=0.03)
    mean[:] = 9.0
    assert chosen.mean_pose().max() < 2.0


def test_fast_enough_for_training() -> None:
    chosen = prior(PriorConfig(), "body18")
    rng = np.random.default_rng(0)
    chosen.sample(64, rng)
    rates = []
    for _ in range(5):
        start = time.process_time()
        for _ in range(20):
            chosen.sample(64, rng)
        rates.append(1280 / (time.process_time() - start))
    assert max(rates) > 10_000  # 20,000 and more on a free core


def test_fitted_framing(tmp_path: Path) -> None:
    table().save(tmp_path / "fit.npz", {})
    exact = {"fit_yaw_sd": 0.0, "fit_scale_sd": 0.0, "fit_shift_sd": 0.0}
    config = replace(EXACT, framing="fitted", fit=str(tmp_path / "fit.npz"), fit_share=1.0, **exact)
    found = draw(prior(config))
    # The rows' pelvis is at 0.5, 0.4 and 0.6 of the side.
    centres = np.unique(np.round(found[:, J["pelvis"], 0], 4))
    np.testing.assert_allclose(centres, [-0.2, 0.0, 0.2], atol=1e-4)
    free = draw(prior(replace(config, fit_share=0.0)))
    assert len(np.unique(np.round(free[:, J["l_wrist"], 1], 3))) > len(
        np.unique(np.round(found[:, J["l_wrist"], 1], 3))
    )


def test_priors_from_files(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "m.npz", [waving(), bowing()])
    chosen = PosePrior.from_path(path, SKELETON, EXACT)
    np.testing.assert_array_equal(
        draw(chosen), draw(PosePrior.from_path([tmp_path], SKELETON, EXACT))
    )
    assert chosen.describe()["recordings"] == 2


def test_priors_from_2d_labels(tmp_path: Path) -> None:
    names = np.array(get_skeleton("limbs12").joints)
    points = np.random.default_rng(0).uniform(0, 100, (30, 12, 2))
    np.savez(tmp_path / "p.npz", keypoints=points, joint_names=names)
    skeleton = get_skeleton("limbs12")
    for chosen in (
        PosePrior.from_path(tmp_path / "p.npz", skeleton, replace(EXACT, height=0.6)),
        PosePrior.from_points2d(points, skeleton, replace(EXACT, height=0.6)),
    ):
        assert chosen.config.framing == "box"
        found = draw(chosen, 200)
        np.testing.assert_allclose(np.ptp(found, axis=1).max(axis=1), 1.2, atol=1e-5)
        assert chosen.sample_source(3, np.random.default_rng(0))[1] is None
    with pytest.raises(UserError, match="'fitted' needs 3D poses"):
        PosePrior.from_points2d(points, skeleton, replace(EXACT, framing="fitted", fit="x"))
    with pytest.raises(UserError, match="cannot give the joints"):
        PosePrior.from_path(tmp_path / "p.npz", SKELETON, EXACT)


def test_actions_choose_recordings() -> None:
    assert prior(actions=("WAV",)).describe()["recordings"] == 1
    assert prior(exclude_actions=("wav",)).describe()["recordings"] == 1
    with pytest.raises(UserError, match=r"prior.actions: none of the 2 recordings.*bowing, waving"):
        prior(actions=("swim",))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("frontal_share", 1.2),
        ("side_share", 0.7),
        ("framing", "square"),
        ("framing", "fitted"),
        ("distance", (0.5, 3.0)),
        ("distance", (5.0, 3.0)),
        ("height", 0.0),
        ("outside_limit", 0.5),
        ("bone_jitter", -0.1),
        ("recombination", 2.0),
        ("fit_share", float("nan")),
    ],
)
def test_impossible_configs_are_refused(field: str, value: object) -> None:
    with pytest.raises(UserError, match=r"^prior\."):
        replace(PriorConfig(), **{field: value})  # type: ignore[arg-type]


def test_every_field_is_documented() -> None:
    text = PriorConfig.__doc__ or ""
    assert [f.name for f in fields(PriorConfig) if f.name not in text] == []


def labels(path: Path, poses: np.ndarray, sources: list[str] | None = None, **more: object) -> Path:
    content: dict[str, object] = {"keypoints": poses.astype(np.float32), **more}
    content["joint_names"] = np.array(get_skeleton("limbs12").joints)
    if sources is not None:
        content |= {"dataset": np.array("lsp"), "source": np.array(sources)}
        content["source_frame"] = np.arange(len(sources))
    np.savez(path, **content)  # type: ignore[arg-type]
    return path


GIVEN = replace(EXACT, framing="given", height_sd=0.0, centre_sd=0.0, roll_sd=0.0, mirror=False)


def test_labels_can_stay_where_they_lie(tmp_path: Path) -> None:
    points = np.random.default_rng(0).uniform(5, 60, (4, 12, 2))
    skeleton = get_skeleton("limbs12")
    file = labels(tmp_path / "p.npz", points, size=np.int64(64))
    found = draw(PosePrior.from_path(file, skeleton, GIVEN), 50)
    expected = (2 * points / 63 - 1).astype(np.float32)
    assert all(np.abs(expected - pose).max(axis=(1, 2)).min() < 1e-5 for pose in found)
    # Spread: shifts and zooms about each pose's middle, in shares of the side.
    spread = draw(PosePrior.from_path(file, skeleton, replace(GIVEN, centre_sd=0.1)), 2000)
    middles = 0.5 * (spread.min(axis=1) + spread.max(axis=1))
    first = 0.5 * (expected.min(axis=1) + expected.max(axis=1))
    offsets = (middles[:, None] - first)[
        np.arange(2000),
        np.argmin(
            np.abs((spread - middles[:, None])[:, None] - (expected - first[:, None])).max((2, 3)),
            1,
        ),
    ]
    np.testing.assert_allclose(offsets.std(axis=0), 0.2, rtol=0.1)
    with pytest.raises(UserError, match="needs 2D labels with the size of their crops"):
        PosePrior.from_path(labels(tmp_path / "q.npz", points), skeleton, GIVEN)


def test_the_aspect_can_vary(tmp_path: Path) -> None:
    points = np.random.default_rng(0).uniform(20, 80, (1, 12, 2))
    file = labels(tmp_path / "p.npz", points, size=np.int64(100))
    config = replace(GIVEN, aspect_sd=0.2)
    found = draw(PosePrior.from_path(file, get_skeleton("limbs12"), config), 2000)
    size = np.ptp(found, axis=1)
    ratio = np.log(size[:, 0] / size[:, 1])
    original = np.ptp(points[0], axis=0)
    assert ratio.mean() == pytest.approx(np.log(original[0] / original[1]), abs=0.02)
    assert ratio.std() == pytest.approx(0.2, rel=0.1)
    area = size.prod(axis=1)
    np.testing.assert_allclose(area, area[0], rtol=1e-4)


def test_a_number_of_poses(tmp_path: Path) -> None:
    """As in the experiments on how many unpaired poses are needed: drawn once, then kept."""
    points = np.random.default_rng(0).uniform(5, 60, (40, 12, 2))
    sources = ["a"] * 39 + ["b"]
    file = labels(tmp_path / "p.npz", points, sources, size=np.int64(64))

    def different(**changes: object) -> int:
        config = replace(GIVEN, **changes)  # type: ignore[arg-type]
        chosen = PosePrior.from_path(file, get_skeleton("limbs12"), config)
        return len(np.unique(np.round(draw(chosen, 3000)[:, 0], 5), axis=0))

    assert different() == 40 and different(poses=1) == 1
    assert 2 <= different(poses=8) <= 8
    few = [
        PosePrior.from_path(
            file, get_skeleton("limbs12"), replace(GIVEN, poses=200, poses_seed=seed)
        ).bank
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(few[0].points, few[1].points)  # type: ignore[union-attr]
    assert (few[0].points != few[2].points).any()  # type: ignore[union-attr]
    share = (few[0].origin.source == "b").mean()  # type: ignore[union-attr]
    assert 0.35 < share < 0.65  # recordings equally likely, though one has a single pose
    assert prior(poses=3).describe()["poses"] == 3


def test_files_of_one_kind_together(tmp_path: Path) -> None:
    points = np.random.default_rng(0).uniform(5, 60, (5, 12, 2))
    skeleton = get_skeleton("limbs12")
    files = [labels(tmp_path / f"{i}.npz", points) for i in range(2)]
    assert PosePrior.from_path(files, skeleton, EXACT).describe()["poses"] == 10
    motion = write_npz(tmp_path / "m.npz", [waving()])
    with pytest.raises(UserError, match=r"m\.npz: holds no 2D labels, the others do"):
        PosePrior.from_path([files[0], motion], skeleton, EXACT)
