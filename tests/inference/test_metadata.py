"""The metadata text of an exported file: a round trip, and every way to be wrong."""

from __future__ import annotations

import json

import pytest

from fastpose.errors import UserError
from fastpose.inference.metadata import ModelInfo
from fastpose.skeletons import SKELETONS


@pytest.mark.parametrize("name", SKELETONS)
def test_round_trip(name: str) -> None:
    info = ModelInfo(SKELETONS[name], 128, {"step": 7, "sha256": "ab"}, {"fill": 0.6}, "0.1.0")
    assert ModelInfo.from_json(info.to_json(), name="m") == info


def test_the_text_names_the_conventions(info) -> None:
    record = json.loads(info.to_json())
    assert record["format"] == "fastpose-detector"
    assert "RGB" in record["conventions"]["images"]
    assert "person's own" in record["conventions"]["sides"]


def _with(info: ModelInfo, **changes: object) -> str:
    return json.dumps({**json.loads(info.to_json()), **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "other"}, "does not describe a detector"),
        ({"format_version": 2}, "metadata format 2, this fastpose reads 1"),
        ({"format_version": None}, "metadata format None"),
        ({"image_size": 0}, "image_size must be"),
        ({"image_size": 10**9}, "image_size must be"),
        ({"image_size": "64"}, "image_size must be"),
        ({"image_size": True}, "image_size must be"),
        ({"skeleton": None}, "holds no skeleton"),
        ({"skeleton": {"name": "x"}}, "its skeleton is damaged"),
        (
            {"skeleton": {"name": "x", "joints": [], "limbs": [], "mirror": [], "limb_groups": []}},
            "damaged",
        ),
        ({"checkpoint": 3}, "must be objects"),
        ({"framing": [1]}, "must be objects"),
    ],
)
def test_wrong_fields(info, changes, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        ModelInfo.from_json(_with(info, **changes), name="m.onnx")
    assert str(caught.value).startswith("m.onnx: ")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"', "[" * 100_000])
def test_texts_that_are_no_object(text: str) -> None:
    with pytest.raises(UserError, match="metadata"):
        ModelInfo.from_json(text, name="m.onnx")


def test_an_infinite_limb_index_is_a_damage(info) -> None:
    text = _with(info, skeleton={**info.skeleton.to_dict(), "mirror": [0, 1, "HUGE"]})
    with pytest.raises(UserError, match="damaged"):
        ModelInfo.from_json(text.replace('"HUGE"', "1e999"), name="m.onnx")
