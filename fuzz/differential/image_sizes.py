"""Pictures of any size: ours, and transformers' image processors with Pillow's filters, to the bit.

    cargo build --example answer
    v/bin/python fuzz/differential/image_sizes.py --seconds 1200 --seed 1    (transformers 5, pillow 13)

First all sizes from 1 to 40 with the processors of tests/reference/images; then any with any sides.
"""
import itertools
import json
import zlib

import numpy
import transformers
from PIL import Image

from loop import REFUSED, ROOT, Ours, asked, run

ours = Ours()
PUBLISHED = json.loads((ROOT / "tests/reference/images/processors.json").read_text())
SMALL = itertools.product(range(1, 41), range(1, 41), PUBLISHED)


def make(chance):
    if first := next(SMALL, None):
        width, height, name = first
        return json.dumps(PUBLISHED[name] | {"do_rescale": False, "do_normalize": False}), width, height, chance.randrange(1000)
    config = dict(PUBLISHED[chance.choice(list(PUBLISHED))]) | {"do_rescale": False, "do_normalize": False}
    side = lambda: chance.choice([1, 2, 3, 7, 8, 16, 31, 32, 33, 40, 64, chance.randrange(1, 100)])  # noqa: E731
    config["size"] = chance.choice([{"height": side(), "width": side()}, {"shortest_edge": side()}])
    config["do_center_crop"] = chance.random() < 0.5 or "shortest_edge" in config["size"]
    if config["do_center_crop"]:
        config["crop_size"] = {"height": side(), "width": side()}
    config["resample"] = chance.choice([0, 1, 2, 3, 4, 5])
    config["do_resize"] = chance.random() < 0.9
    width, height = chance.choice([(side(), side()), (chance.randrange(1, 600), side()), (side(), chance.randrange(1, 600))])
    return json.dumps(config), width, height, chance.randrange(1000)


def picture(width, height, seed):
    at = numpy.arange(3 * width * height, dtype=numpy.int64)
    levels = (at * at % 251 + at * seed % 257) % 256
    return Image.fromarray(levels.astype(numpy.uint8).reshape(height, width, 3))


def reference(processor, width, height, seed):
    config = json.loads(processor)
    name = config.pop("image_processor_type")
    made = (getattr(transformers, f"{name}Pil", None) or getattr(transformers, name))(**config)
    pixels = numpy.asarray(made(picture(width, height, seed), return_tensors="np", input_data_format="channels_last")["pixel_values"][0])
    return [pixels.size, zlib.adler32(pixels.astype(numpy.uint8).tobytes())]


def differs(case):
    processor, width, height, seed = case
    mine = ours({"processor": processor, "width": width, "height": height, "seed": seed})
    theirs = asked(reference, *case)
    if mine is REFUSED:
        return "refused by both" if theirs is REFUSED else "refused by us"
    if theirs is REFUSED:
        return "taken by us alone"
    return "same" if mine == theirs else "another text"


def parts(case):
    processor, width, height, seed = case
    for smaller in ((width // 2, height), (width, height // 2), (width - 1, height), (width, height - 1)):
        if min(smaller) > 0:
            yield processor, *smaller, seed
    if seed:
        yield processor, width, height, 0


def show(case):
    return json.dumps(case)


# The first call imports what it needs, which may take longer than an answer may: cut short, it would never be whole.
for published in PUBLISHED.values():
    reference(json.dumps(published), 8, 8, 0)
run(make, differs, parts, show)
