"""Fashion-MNIST from the gzipped IDX files of Debian's `dataset-fashion-mnist`."""

import gzip
from pathlib import Path

import numpy as np
import torch

DEFAULT_FOLDER = Path("/usr/share/datasets/fashion-mnist")

LABELS = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
]

# Of all pixels of the 60,000 training images, after division by 255.
MEAN, STD = 0.2860, 0.3530

# Training images that no weight ever sees: they choose between recipes and epochs.
HELD_OUT = 5000


def read_idx(path):
    """One IDX file of bytes: two zero bytes, type 8 (u8), rank, then big-endian sizes and the data."""
    with gzip.open(path) as file:
        content = file.read()
    if content[:3] != b"\0\0\x08":
        raise ValueError(f"{path}: not an IDX file of bytes")
    rank = content[3]
    shape = np.frombuffer(content, ">u4", count=rank, offset=4).astype(int)
    values = np.frombuffer(content, np.uint8, offset=4 + 4 * rank)
    return torch.from_numpy(values.reshape(shape).copy())


def read_split(folder, name):
    """Images [count, 28, 28] and labels [count], both u8; `name` is `train` or `t10k`."""
    folder = Path(folder)
    images = read_idx(folder / f"{name}-images-idx3-ubyte.gz")
    labels = read_idx(folder / f"{name}-labels-idx1-ubyte.gz")
    if len(images) != len(labels):
        raise ValueError(f"{folder}: {len(images)} images of {name} but {len(labels)} labels")
    return images, labels.long()


def read_training(folder):
    """((images, labels) to train on, (images, labels) held out), the same division every time."""
    images, labels = read_split(folder, "train")
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    held, kept = order[:HELD_OUT], order[HELD_OUT:]
    return (images[kept], labels[kept]), (images[held], labels[held])


def normalize(images):
    """u8 [count, 28, 28] to what the network takes: f32 [count, 1, 28, 28]."""
    return ((images.float() / 255 - MEAN) / STD).unsqueeze(1)


def augment(images, generator, erased, shift=2):
    """u8 [count, 28, 28], each mirrored or not, moved by up to `shift` pixels, and the share `erased` of
    them with a rectangle of 4 to 11 pixels blanked ("random erasing", https://arxiv.org/abs/1708.04896)."""
    count, size = images.shape[:2]

    def draw(low, high):
        return torch.randint(low, high, (count, 1), generator=generator)

    along = torch.arange(size)
    rows = along + draw(0, 2 * shift + 1)
    columns = torch.where(draw(0, 2) == 1, along, size - 1 - along) + draw(0, 2 * shift + 1)
    padded = torch.nn.functional.pad(images, (shift, shift, shift, shift))
    images = padded[torch.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]

    top, left, height, width = draw(0, size), draw(0, size), draw(4, 12), draw(4, 12)
    hit = torch.rand((count, 1, 1), generator=generator) < erased
    inside_rows = ((along >= top) & (along < top + height))[:, :, None]
    inside_columns = ((along >= left) & (along < left + width))[:, None, :]
    return images.masked_fill(hit & inside_rows & inside_columns, 0)
