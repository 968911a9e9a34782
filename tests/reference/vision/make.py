"""Tiny image models with the choices that tests/conformance does not have, and what transformers makes of random pixels.

    v/bin/pip install torch transformers safetensors
    v/bin/python make.py OUT_DIR

Each folder has config.json, model.safetensors and case.safetensors: pixel_values [B,C,H,W], hidden [B,N,D], logits [B,C].
"""
import pathlib, sys
import torch, transformers as tf
from safetensors.torch import save_file

SIZES = dict(hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=2, num_labels=5)
CASES = {
    # name: (model, config, config's arguments, pixels, arguments of the forward pass)
    "registers": ("Dinov2WithRegistersForImageClassification", "Dinov2WithRegistersConfig",
                  dict(mlp_ratio=2, image_size=56, patch_size=14, num_register_tokens=3), (2, 3, 42, 29), {}),
    "swiglu": ("Dinov2ForImageClassification", "Dinov2Config",
               dict(mlp_ratio=4, image_size=28, patch_size=7, use_swiglu_ffn=True), (2, 3, 42, 28), {}),
    "grey": ("ViTForImageClassification", "ViTConfig",
             dict(image_size=28, patch_size=7, num_channels=1, qkv_bias=False, hidden_act="gelu_pytorch_tanh"),
             (3, 1, 35, 49), dict(interpolate_pos_encoding=True)),
    "one_head": ("DeiTForImageClassification", "DeiTConfig", dict(image_size=16, patch_size=8), (2, 3, 16, 16), {}),
}

torch.manual_seed(4)
for name, (model, config, arguments, shape, how) in CASES.items():
    sizes = {k: v for k, v in SIZES.items() if not (k == "intermediate_size" and "Dinov2" in config)}
    made = getattr(tf, model)(getattr(tf, config)(**sizes, **arguments, attn_implementation="eager")).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter) * (0.3 if parameter.dim() > 1 else 0.1))
        pixels = torch.randn(shape)
        base = getattr(made, made.base_model_prefix)
        case = dict(pixel_values=pixels, hidden=base(pixel_values=pixels, **how).last_hidden_state,
                    logits=made(pixel_values=pixels, **how).logits)
    folder = pathlib.Path(sys.argv[1]) / name
    made.save_pretrained(folder)
    save_file({k: v.contiguous() for k, v in case.items()}, folder / "case.safetensors")
    print(name, {k: list(v.shape) for k, v in case.items()})
