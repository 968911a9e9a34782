"""Pictures for the demo and for tests, from the test images: one of each class, and a sheet of 15 × 15.

    python training/samples.py [--out www/samples]

A seeded shuffle chooses them; no model has a say. `fashion-sheet.json` holds each tile's class, row by row.
"""

import argparse
import json
import re
from pathlib import Path

import torch
from PIL import Image

from data import DEFAULT_FOLDER, LABELS, read_split

TILES = 15


def file_name(index):
    """`0-t-shirt-top.png`"""
    return f"{index}-{re.sub('[^a-z]+', '-', LABELS[index].lower())}.png"


def save(pixels, path):
    """u8 [height, width] as a grey PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.numpy()).save(path, optimize=True)


def sheet(images):
    """[tiles², size, size] to [tiles · size, tiles · size], row by row."""
    size = images.shape[1]
    grid = images.reshape(TILES, TILES, size, size).transpose(1, 2)
    return grid.reshape(TILES * size, TILES * size).contiguous()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DEFAULT_FOLDER)
    parser.add_argument("--out", type=Path, default=Path("www/samples"))
    options = parser.parse_args()
    images, labels = read_split(options.data, "t10k")
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(28))
    images, labels = images[order], labels[order]

    for index in range(len(LABELS)):
        first = (labels == index).nonzero()[0].item()
        save(images[first], options.out / "fashion" / file_name(index))

    # From the other end of the shuffle, so that no single picture is also a tile.
    images, labels = images[-TILES * TILES:], labels[-TILES * TILES:]
    save(sheet(images), options.out / "fashion-sheet.png")
    rows = labels.reshape(TILES, TILES).tolist()
    text = ",\n  ".join(json.dumps(row) for row in rows)
    (options.out / "fashion-sheet.json").write_text(f"[\n  {text}\n]\n")


if __name__ == "__main__":
    main()
