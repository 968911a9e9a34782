#!/usr/bin/env python3
"""Writes the fuzzer's first inputs into corpus/: small valid files of every kind, and broken ones beside them.

What a fuzzing run adds (see README.md) lies beside them, named by its hash.
"""

import json
import struct
from pathlib import Path

HERE = Path(__file__).parent
# GGUF's number, elements and bytes of a block.
TENSOR_TYPES = {
    "F32": (0, 1, 4), "F16": (1, 1, 2), "Q4_0": (2, 32, 18), "Q4_1": (3, 32, 20), "Q5_0": (6, 32, 22),
    "Q5_1": (7, 32, 24), "Q8_0": (8, 32, 34), "Q2_K": (10, 256, 84), "Q3_K": (11, 256, 110), "Q4_K": (12, 256, 144),
    "Q5_K": (13, 256, 176), "Q6_K": (14, 256, 210), "IQ4_NL": (20, 32, 18), "MXFP4": (39, 32, 17),
    "IQ4_XS": (23, 256, 136), "Q1_0": (41, 128, 18), "TQ1_0": (34, 256, 54), "TQ2_0": (35, 256, 66),
    "BF16": (30, 1, 2),
}
SCALARS = [struct.pack(f"<{code}", 1) for code in "BbHhIif?"]  # types 0 to 7
WIDE = [struct.pack(f"<{code}", 1) for code in "Qqd"]          # types 10 to 12


def u32(x):
    return struct.pack("<I", x)


def u64(x):
    return struct.pack("<Q", x)


def string(text):
    return u64(len(text.encode())) + text.encode()


def scalar(ty):
    return string("str→") if ty == 8 else SCALARS[ty] if ty < 8 else WIDE[ty - 10]


def gguf(keys=(), tensors=(), version=3, alignment=32):
    """keys: (name, type, bytes). tensors: (name, dimensions, type, offset). Data is 0, 1, 2, …"""
    out = b"GGUF" + u32(version) + u64(len(tensors)) + u64(len(keys))
    for name, ty, value in keys:
        out += string(name) + u32(ty) + value
    for name, dimensions, ty, offset in tensors:
        out += string(name) + u32(len(dimensions)) + b"".join(map(u64, dimensions)) + u32(ty) + u64(offset)
    return out + bytes(-len(out) % alignment)


def data(count):
    return bytes(i % 251 for i in range(count))


def gguf_seeds():
    yield "empty-v3", gguf()
    yield "empty-v2", gguf(version=2)
    for version in (0, 1, 4, 3 << 24):
        yield f"version-{version}", gguf(version=version)
    for ty in [*range(9), 10, 11, 12]:
        yield f"value-{ty}", gguf([("k", ty, scalar(ty))])
        yield f"array-{ty}", gguf([("k", 9, u32(ty) + u64(3) + scalar(ty) * 3)])
    yield "array-empty", gguf([("k", 9, u32(8) + u64(0))])
    inner = u32(5) + u64(2) + SCALARS[5] * 2
    yield "array-nested", gguf([("k", 9, u32(9) + u64(2) + inner * 2)])
    yield "array-deep", gguf([("k", 9, (u32(9) + u64(1)) * 3 + inner)])
    yield "array-too-deep", gguf([("k", 9, (u32(9) + u64(1)) * 5 + inner)])
    yield "array-huge", gguf([("k", 9, u32(8) + u64(2**63))])
    yield "string-huge", gguf([("k", 8, u64(2**63))])
    yield "keys-twice", gguf([("k", 7, b"\1"), ("k", 7, b"\1")])
    yield "counts-huge", b"GGUF" + u32(3) + u64(2**63) + u64(2**63)
    for name, (ty, length, size) in TENSOR_TYPES.items():
        file = gguf([], [("w", (max(length, 8), 2), ty, 0)])
        yield f"tensor-{name}", file + data(max(length, 8) // length * size * 2)
    yield "tensor-unread", gguf([], [("w", (256,), 16, 0)]) + data(66)
    two = [("a", (8,), 0, 32), ("b", (32, 2), 2, 64)]
    valid = gguf([("general.architecture", 8, string("llama")), ("split.count", 2, SCALARS[2])], two) + data(100)
    yield "gap", valid
    for end in (3, 20, 40, 90, 130, 180, len(valid) - 1):
        yield f"truncated-{end}", valid[:end]
    yield "padded", valid + bytes(28)
    aligned = [("general.alignment", 4, u32(64))]
    yield "aligned", gguf(aligned, [("a", (8,), 0, 0), ("b", (8,), 0, 64)], alignment=64) + data(96)
    yield "aligned-badly", gguf([("general.alignment", 4, u32(3))])
    yield "overlapping", gguf([], [("a", (16,), 0, 0), ("b", (8,), 0, 32)]) + data(96)
    yield "names-twice", gguf([], [("a", (8,), 0, 0), ("a", (8,), 0, 32)]) + data(64)
    yield "offset-huge", gguf([], [("a", (8,), 0, 2**64 - 32)]) + data(64)
    yield "dimensions-0", gguf([], [("a", (), 0, 0)])
    yield "dimensions-4", gguf([], [("a", (2, 2, 2, 2), 1, 0)]) + data(32)
    yield "dimensions-5", gguf([], [("a", (1,) * 5, 1, 0)])
    yield "shape-huge", gguf([], [("a", (2**32, 2**32), 1, 0)])


def safetensors(header, count=0):
    text = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    return u64(len(text)) + text + data(count)


def entry(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def safetensors_seeds():
    sizes = {"F32": 4, "F16": 2, "BF16": 2, "BOOL": 1, "U8": 1, "I8": 1, "U16": 2, "I16": 2, "U32": 4, "I32": 4,
             "U64": 8, "I64": 8, "F64": 8, "F8_E4M3": 1, "NONE": 1}
    for dtype, size in sizes.items():
        yield f"dtype-{dtype}", safetensors({"w": entry(dtype, [2, 3], 0, 6 * size)}, 6 * size)
    yield "empty", safetensors({})
    yield "nothing", b""
    yield "metadata", safetensors({"__metadata__": {"format": "pt"}, "s": entry("F32", [], 0, 4)}, 4)
    two = {"b": entry("F16", [2], 4, 8), "a": entry("F32", [1], 0, 4)}
    valid = safetensors(two, 8)
    yield "two", valid
    for end in (5, 30, len(valid) - 9, len(valid) - 1):
        yield f"truncated-{end}", valid[:end]
    yield "longer", valid + b"x"
    yield "no-elements", safetensors({"w": entry("F32", [0, 4], 0, 0), "x": entry("F32", [1], 0, 4)}, 4)
    yield "hole", safetensors({"a": entry("F32", [1], 4, 8)}, 8)
    yield "overlapping", safetensors({"a": entry("F32", [2], 0, 8), "b": entry("F32", [1], 4, 8)}, 8)
    yield "backwards", safetensors({"a": entry("F32", [1], 4, 0)}, 8)
    yield "shape-wrong", safetensors({"a": entry("F32", [2], 0, 4)}, 4)
    yield "shape-huge", safetensors({"a": entry("F32", [2**63, 4], 0, 4)}, 4)
    yield "offsets-huge", safetensors({"a": entry("F32", [1], 2**64 - 4, 2**64 - 1)}, 4)
    yield "names-twice", safetensors(b'{"a":%b,"a":%b}' % ((json.dumps(entry("F32", [0], 0, 0)).encode(),) * 2))
    yield "length-huge", u64(2**63) + b"{}"
    yield "length-over", u64(100_000_001) + b"{}"
    yield "deep", safetensors(b'{"a":' + b"[" * 200)
    yield "not-json", safetensors(b"not json")
    yield "not-utf8", safetensors(b'{"\xff":1}')


for folder, seeds in (("gguf", gguf_seeds()), ("safetensors", safetensors_seeds())):
    (HERE / "corpus" / folder).mkdir(parents=True, exist_ok=True)
    for name, content in seeds:
        (HERE / "corpus" / folder / name).write_bytes(content)
