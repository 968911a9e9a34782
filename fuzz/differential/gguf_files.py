"""GGUF files: ours, and gguf-py.

    cargo build --example answer
    v/bin/python fuzz/differential/gguf_files.py --seconds 1200 --seed 1    (gguf 0.19)

Files are those of the fuzzer's corpus, changed: what gguf-py cannot read we refuse, and what both read is the same.
"""
import json
import pathlib
import struct
import tempfile

import numpy
from gguf import GGUFReader
from gguf.quants import dequantize

from loop import REFUSED, ROOT, Ours, asked, run

ours = Ours()
CORPUS = [file.read_bytes() for file in sorted((ROOT / "fuzz/corpus/gguf").iterdir())]
PLACE = pathlib.Path(tempfile.mkdtemp()) / "file.gguf"
NUMBERS = [0, 1, 2, 3, 4, 7, 8, 31, 32, 33, 63, 64, 255, 256, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**63]


def changed(chance, file):
    at = chance.randrange(len(file) + 1)
    kind = chance.randrange(6)
    if kind == 0:
        return file[:at] + bytes([chance.randrange(256)]) + file[at + 1:]
    if kind == 1:
        return file[:at] + file[at + chance.randrange(1, 17):]
    if kind == 2:
        return file[:at] + bytes(chance.randrange(256) for _ in range(chance.randrange(1, 9))) + file[at:]
    if kind == 3:
        return file[:at] + struct.pack("<I", chance.choice(NUMBERS) % 2**32) + file[at + 4:]
    if kind == 4:
        return file[:at] + struct.pack("<Q", chance.choice(NUMBERS)) + file[at + 8:]
    other = chance.choice(CORPUS)
    return file[:at] + other[chance.randrange(len(other) + 1):]


def make(chance):
    file = chance.choice(CORPUS)
    for _ in range(chance.randrange(4)):
        file = changed(chance, file)
    return file[:4096]


def plain(value):
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, float):
        return "nan" if value != value else struct.pack("<d", value).hex()
    return value


def reference(file):
    PLACE.write_bytes(file)
    reader = GGUFReader(PLACE)
    metadata = [[key, plain(field.contents())] for key, field in reader.fields.items() if not key.startswith("GGUF.")]
    tensors = []
    for tensor in reader.tensors:
        with numpy.errstate(all="ignore"):
            values = dequantize(tensor.data, tensor.tensor_type)
        shape = [int(side) for side in tensor.shape[::-1]]
        tensors.append([tensor.name, shape, tensor.tensor_type.name, numpy.asarray(values, numpy.float32).reshape(-1)])
    return metadata, tensors


def same(mine, theirs):
    if [each for each in mine[0] if each[1] is not None] != [each for each, own in zip(theirs[0], mine[0]) if own[1] is not None] or len(mine[0]) != len(theirs[0]):
        return False
    if len(mine[1]) != len(theirs[1]):
        return False
    for (name, shape, ty, values), (*others, expected) in zip(mine[1], theirs[1]):
        values = numpy.frombuffer(bytes.fromhex(values), numpy.float32)
        if [name, shape, ty] != others or values.shape != expected.shape:
            return False
        # A scale's product, and a minimum that is added: in any order, which tells infinities from no numbers.
        finite = numpy.isfinite(expected)
        expected, values, wild = expected[finite], values[finite], values[~finite]
        largest = numpy.max(numpy.abs(expected), initial=0)
        if numpy.isfinite(wild).any() or not numpy.allclose(values, expected, rtol=1e-6, atol=1e-6 * largest):
            return False
    return True


def differs(file):
    mine, theirs = ours({"gguf": file.hex()}), asked(reference, file)
    if mine is REFUSED:
        return "refused by both" if theirs is REFUSED else "refused by us"
    if theirs is REFUSED:
        return "taken by us alone"
    return "same" if same(mine, theirs) else "another text"


def parts(file):
    for size in (len(file) // 2, len(file) // 4, 16, 8, 4, 1):
        for at in range(0, len(file) - size + 1, max(1, size // 2)) if size else ():
            yield file[:at] + file[at + size:]


def show(file):
    return json.dumps({"gguf": file.hex()})


run(make, differs, parts, show)
