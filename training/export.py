"""Writes a trained ViT as a Hugging Face folder: config.json, model.safetensors (F16), preprocessor_config.json."""

import json

import torch
from safetensors.torch import save_file

from data import MEAN, STD


def preprocessor(size):
    """`preprocessor_config.json`. A picture becomes grey because `num_channels` of config.json is 1."""
    return {
        "image_processor_type": "ViTImageProcessor",
        "do_resize": True,
        "size": {"height": size, "width": size},
        "resample": 2,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [MEAN],
        "image_std": [STD],
    }


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n")


def export(model, config, folder):
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: value.detach().to(torch.float16).contiguous() for name, value in model.state_dict().items()}
    write_json(folder / "config.json", {**config, "dtype": "float32"})
    write_json(folder / "preprocessor_config.json", preprocessor(config["image_size"]))
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
