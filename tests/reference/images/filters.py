"""Pictures resized by each of Pillow's filters, by the numbers that `resample` has for them.

    python tests/reference/images/filters.py > tests/reference/images/filters.json
"""

import json
from pathlib import Path

import numpy
from PIL import Image

INPUTS = Path(__file__).parent / "inputs"
# Smaller, larger, and one of both: height and width.
SIZES = [[7, 9], [40, 3], [61, 50]]


def resized(name, filter, height, width):
    picture = Image.open(INPUTS / f"{name}.png").convert("RGB").crop((0, 0, 48, 40))
    planes = numpy.asarray(picture.resize((width, height), resample=filter)).transpose(2, 0, 1)
    return {"picture": name, "resample": filter, "size": [height, width], "sum": [int(plane.sum()) for plane in planes],
            "first": [int(level) for level in planes.reshape(-1)[:150]]}


print(json.dumps([resized(name, filter, *size) for name in ["tall", "tissue"] for filter in range(6) for size in SIZES]))
