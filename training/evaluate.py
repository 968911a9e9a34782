"""Measures an exported folder on the 10,000 test images: accuracy, per class, and the reference for our own runtime.

    python training/evaluate.py [--model FOLDER] [--reference FOLDER] [--readme]

The weights are read as they are stored (F16) and computed with in f32. transformers loads the same folder and
must give the same logits. `--readme` writes the measured tables into the model's README.md.
"""

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import ViTForImageClassification

from data import DEFAULT_FOLDER, LABELS, normalize, read_split
from vit import ViT

LOGITS_KEPT = 200
BEGIN, END = "<!-- measured by training/evaluate.py -->\n", "<!-- end of what was measured -->\n"


def load(folder):
    config = json.loads((folder / "config.json").read_text())
    model = ViT(config)
    model.load_state_dict({name: value.float() for name, value in load_file(folder / "model.safetensors").items()})
    return model.eval()


@torch.no_grad()
def logits_of(model, images, batch=500):
    """f32 logits [count, classes]."""
    return torch.cat([model(normalize(part)) for part in images.split(batch)])


@torch.no_grad()
def compare_with_transformers(folder, images, logits):
    theirs = ViTForImageClassification.from_pretrained(folder, dtype=torch.float32).eval()
    expected = theirs(pixel_values=normalize(images)).logits
    worst = (expected - logits).abs().max().item()
    print(f"transformers: logits differ by at most {worst:.1e} on {len(images)} images")
    if worst > 1e-3:
        raise SystemExit("transformers computes something else from this folder")


def confusion_matrix(labels, predictions):
    """Counts [truth, prediction]."""
    count = len(LABELS)
    return torch.bincount(labels * count + predictions, minlength=count * count).reshape(count, count)


def table(confusion):
    """The measured part of the model's README."""
    right, total = confusion.diag(), confusion.sum(1)
    overall = 100 * right.sum().item() / total.sum().item()
    lines = [
        f"{overall:.2f} % of the {total.sum().item():,} test images "
        f"({right.sum().item():,} right), measured with PyTorch in f32 from the F16 weights.",
        "",
        "| Class | right (%) | of its pictures called that, right (%) | most often mistaken for |",
        "|---|---:|---:|---|",
    ]
    for index, label in enumerate(LABELS):
        precision = 100 * right[index].item() / max(1, confusion[:, index].sum().item())
        mistakes = confusion[index].clone()
        mistakes[index] = 0
        worst = mistakes.argmax().item()
        lines.append(
            f"| {label} | {100 * right[index].item() / total[index].item():.1f} | {precision:.1f} "
            f"| {LABELS[worst]} ({mistakes[worst].item()} of {total[index].item():,}) |"
        )
    return "\n".join(lines) + "\n"


def write_into(readme, text):
    """Replaces what stands between the two comments."""
    before, rest = readme.read_text().split(BEGIN)
    _, after = rest.split(END)
    readme.write_text(before + BEGIN + text + END + after)


def write_reference(folder, logits):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "predictions.bin").write_bytes(logits.argmax(1).to(torch.uint8).numpy().tobytes())
    (folder / "logits.bin").write_bytes(logits[:LOGITS_KEPT].numpy().astype("<f4").tobytes())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DEFAULT_FOLDER)
    parser.add_argument("--model", type=Path, default=Path("www/models/fashion-mnist-vit"))
    parser.add_argument("--reference", type=Path, help="where predictions.bin and logits.bin go, if anywhere")
    parser.add_argument("--readme", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(2)
    images, labels = read_split(options.data, "t10k")
    logits = logits_of(load(options.model), images)
    compare_with_transformers(options.model, images[:LOGITS_KEPT], logits[:LOGITS_KEPT])
    text = table(confusion_matrix(labels, logits.argmax(1)))
    print(text)
    if options.readme:
        write_into(options.model / "README.md", text)
    if options.reference:
        write_reference(options.reference, logits)


if __name__ == "__main__":
    main()
