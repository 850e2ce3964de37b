"""The walk through an ONNX file: finds metadata, refuses external data, survives any bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from fastpose.errors import UserError
from fastpose.inference.onnx_file import parse_onnx, read_onnx_file


def _external() -> TensorProto:
    tensor = numpy_helper.from_array(np.zeros(4, np.float32), "secret")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../etc/passwd"
    return tensor


def _in_initializer(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(_external())


def _in_constant(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("Constant", [], ["c"], value=_external()))


def _in_subgraph(model: onnx.ModelProto) -> None:
    inner = helper.make_graph([], "inner", [], [], [_external()])
    model.graph.node.append(helper.make_node("If", ["a"], ["b"], then_branch=inner))


def _in_sparse(model: onnx.ModelProto) -> None:
    sparse = model.graph.sparse_initializer.add()
    sparse.values.CopyFrom(_external())


def _in_function(model: onnx.ModelProto) -> None:
    function = model.functions.add()
    function.node.append(helper.make_node("Constant", [], ["c"], value=_external()))


def _in_training(model: onnx.ModelProto) -> None:
    model.training_info.add().algorithm.initializer.append(_external())


def _without_flag(model: onnx.ModelProto) -> None:
    tensor = _external()
    tensor.ClearField("data_location")
    model.graph.initializer.append(tensor)


def _tensor_list(model: onnx.ModelProto) -> None:
    node = model.graph.node.add()
    attribute = node.attribute.add()
    attribute.tensors.append(_external())


@pytest.mark.parametrize(
    "hide",
    [
        _in_initializer,
        _in_constant,
        _in_subgraph,
        _in_sparse,
        _in_function,
        _in_training,
        _without_flag,
        _tensor_list,
    ],
)
def test_external_data_is_refused_wherever_it_hides(blob_model, hide) -> None:
    model = onnx.ModelProto()
    model.CopyFrom(blob_model)
    hide(model)
    with pytest.raises(UserError, match="weights in another file"):
        parse_onnx(model.SerializeToString(), name="model.onnx")


def test_metadata_and_domains_are_read(blob_model) -> None:
    file = parse_onnx(blob_model.SerializeToString(), name="model.onnx")
    assert file.metadata == {p.key: p.value for p in blob_model.metadata_props}
    assert file.domains == ("",)
    assert file.data == blob_model.SerializeToString()


def test_files_that_are_no_model(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone\.onnx: no such model"):
        read_onnx_file(tmp_path / "gone.onnx")
    (tmp_path / "empty.onnx").write_bytes(b"")
    with pytest.raises(UserError, match="the file is empty"):
        read_onnx_file(tmp_path / "empty.onnx")
    for name, content in {
        "text": b"hello, this is not a model\n" * 20,
        "zeros": bytes(1000),
        "noise": np.random.default_rng(0).bytes(5000),
        "zip": b"PK\x03\x04" + bytes(200),
        "no graph": b"\x08\x09",
        "long varint": b"\xff" * 40,
    }.items():
        with pytest.raises(UserError, match="not an ONNX model, or cut short") as caught:
            parse_onnx(content, name=name)
        assert "\n" not in str(caught.value)


def test_every_cut_through_the_weights_is_noticed(blob_model) -> None:
    data = blob_model.SerializeToString()
    whole = parse_onnx(data, name="m").metadata
    refused = 0
    for end in range(1, len(data), 7):
        try:
            part = parse_onnx(data[:end], name="m")
        except UserError:
            refused += 1
        else:  # a cut between two top-level fields loses the metadata, and so the model
            assert part.metadata != whole
    assert refused > 0.9 * len(range(1, len(data), 7))


def _wrap(number: int, content: bytes) -> bytes:
    """`content` as a protobuf field of bytes."""
    length, size = b"", len(content)
    while size > 0x7F:
        length += bytes([size & 0x7F | 0x80])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


@pytest.mark.parametrize(("levels", "allowed"), [(5, True), (1000, False)])
def test_nesting_is_bounded(levels: int, allowed: bool) -> None:
    graph = b""
    for _ in range(levels):  # a graph in an attribute of a node of a graph
        graph = _wrap(1, _wrap(5, _wrap(6, graph)))
    model = _wrap(7, graph)
    if allowed:
        parse_onnx(model, name="deep")
    else:
        with pytest.raises(UserError, match="not an ONNX model"):
            parse_onnx(model, name="deep")


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_damaged_bytes_never_do_worse_than_a_user_error(blob_model, data) -> None:
    content = bytearray(blob_model.SerializeToString())
    flips = st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255))
    for position, value in data.draw(st.lists(flips, min_size=1, max_size=20)):
        content[position] = value
    try:
        parse_onnx(bytes(content), name="m")
    except UserError as error:
        assert "\n" not in str(error)


@settings(max_examples=200, deadline=None)
@given(content=st.binary(max_size=300))
def test_any_bytes_are_parsed_or_refused(content: bytes) -> None:
    try:
        parse_onnx(content, name="m")
    except UserError as error:
        assert str(error).startswith("m: ")
