"""Look into an ONNX file before any runtime touches it: metadata, and whether it points outside.

A model file comes from strangers. ONNX lets a tensor name another file that holds its data, with a
history of path traversal (onnx/onnx#3991, #5917, #7686), and a runtime opens those files while it
loads. So the protobuf text is walked here first, without any protobuf library, and the very bytes
that were checked are handed on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fastpose.errors import UserError

MAX_DEPTH = 100  # protobuf's own
MAX_BYTES = 2**31 - 1  # protobuf's own limit for one message

# Message -> {field number: message of that field}, only the paths that lead to a tensor, an
# operator domain or the metadata (onnx.proto, ir version 10).
_CHILDREN: dict[str, dict[int, str]] = {
    "model": {7: "graph", 8: "opset", 14: "entry", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 9: "opset", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {
        5: "tensor",
        6: "graph",
        10: "tensor",
        11: "graph",
        22: "sparse",
        23: "sparse",
    },
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
    "opset": {},
    "entry": {},
}
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class _Malformed(Exception):
    """The bytes are no protobuf message of this kind."""


@dataclass(frozen=True)
class OnnxFile:
    """A checked ONNX file: `data` is the whole file, `metadata` its key/value texts, `domains` the
    operator domains it imports ("" is the standard one)."""

    data: bytes
    metadata: dict[str, str]
    domains: tuple[str, ...]


def read_onnx_file(path: str | Path) -> OnnxFile:
    """Read and check the ONNX file at `path`.

    Raises:
        UserError: missing, empty, unreadable, not ONNX, cut short, or with external data.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(f"{path}: no such model; give a model.onnx or a training run directory")
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise UserError(f"{path}: {size} bytes is more than an ONNX file can hold")
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    if not data:
        raise UserError(f"{path}: the file is empty; export the model again")
    return parse_onnx(data, name=str(path))


def parse_onnx(data: bytes, *, name: str) -> OnnxFile:
    """Check the bytes of an ONNX file called `name`; errors as in `read_onnx_file`."""
    metadata: dict[str, str] = {}
    domains: list[str] = []
    has_graph = False
    stack = [("model", 0, len(data), 0)]
    try:
        while stack:
            kind, start, end, depth = stack.pop()
            if depth > MAX_DEPTH:
                raise _Malformed
            texts: dict[int, str] = {}
            for number, wire, value in _fields(data, start, end):
                child = _CHILDREN[kind].get(number)
                if child is not None:
                    if wire != _BYTES:
                        raise _Malformed
                    has_graph |= kind == "model" and child == "graph"
                    stack.append((child, value[0], value[1], depth + 1))
                elif kind == "tensor" and (number == 13 or (number == 14 and value != (0, 0))):
                    raise UserError(
                        f"{name}: keeps weights in another file, which fastpose refuses to open; "
                        "export it again as one file"
                    )
                elif kind in ("entry", "opset") and wire == _BYTES:
                    texts[number] = data[value[0] : value[1]].decode("utf-8")
            if kind == "entry":
                metadata[texts.get(1, "")] = texts.get(2, "")
            elif kind == "opset":
                domains.append(texts.get(1, ""))
        if not has_graph:
            raise _Malformed
    except (_Malformed, UnicodeDecodeError):
        raise UserError(
            f"{name}: not an ONNX model, or cut short; give a file written by fastpose export"
        ) from None
    return OnnxFile(data, metadata, tuple(sorted(set(domains))))


def _fields(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, tuple[int, int]]]:
    """(field number, wire type, value) of a message; a number n is (n, 0), bytes are (from, to)."""
    at = start
    while at < end:
        key, at = _varint(data, at, end)
        number, wire = key >> 3, key & 7
        if number == 0:
            raise _Malformed
        if wire == _VARINT:
            value, at = _varint(data, at, end)
            yield number, wire, (value, 0)
            continue
        if wire == _BYTES:
            length, at = _varint(data, at, end)
        elif wire == _FIXED64:
            length = 8
        elif wire == _FIXED32:
            length = 4
        else:
            raise _Malformed
        if length > end - at:
            raise _Malformed
        yield number, wire, (at, at + length)
        at += length


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= end:
            break
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise _Malformed
