"""A ViT whose parameters carry Hugging Face's names, so that its state is the checkpoint.

Paper: https://arxiv.org/abs/2010.11929. The same arithmetic as transformers' `ViTForImageClassification`.
"""

import torch
from torch import nn
from torch.nn import functional as F

from data import LABELS


def config(width=96, layers=6, heads=3, patch=4, ratio=4):
    """`config.json`."""
    return {
        "architectures": ["ViTForImageClassification"],
        "model_type": "vit",
        "image_size": 28,
        "patch_size": patch,
        "num_channels": 1,
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": ratio * width,
        "hidden_act": "gelu",
        "qkv_bias": True,
        "layer_norm_eps": 1e-6,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "initializer_range": 0.02,
        "id2label": {str(index): label for index, label in enumerate(LABELS)},
        "label2id": {label: index for index, label in enumerate(LABELS)},
    }


class Embeddings(nn.Module):
    """Pixels [rows, 1, 28, 28] to [rows, 1 + patches, width]: patches, the class token before them, positions."""

    def __init__(self, c):
        super().__init__()
        width, patch = c["hidden_size"], c["patch_size"]
        tokens = 1 + (c["image_size"] // patch) ** 2
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.position_embeddings = nn.Parameter(torch.empty(1, tokens, width))
        projection = nn.Conv2d(c["num_channels"], width, patch, stride=patch)
        self.patch_embeddings = nn.ModuleDict({"projection": projection})
        self.kept = tokens - 1  # patches that training looks at, chosen anew for each image

    def forward(self, pixels):
        patches = self.patch_embeddings["projection"](pixels).flatten(2).transpose(1, 2)
        patches = patches + self.position_embeddings[:, 1:]
        if self.training and self.kept < patches.shape[1]:
            chosen = torch.rand(patches.shape[:2]).argsort(dim=1)[:, :self.kept, None]
            patches = patches.gather(1, chosen.expand(-1, -1, patches.shape[2]))
        first = self.cls_token + self.position_embeddings[:, :1]
        return torch.cat((first.expand(len(pixels), -1, -1), patches), dim=1)


class Layer(nn.Module):
    """One block: attention and feed-forward, each normed first and inside its residual."""

    def __init__(self, c):
        super().__init__()
        width, inner, eps = c["hidden_size"], c["intermediate_size"], c["layer_norm_eps"]
        self.heads = c["num_attention_heads"]
        self.layernorm_before = nn.LayerNorm(width, eps)
        self.attention = nn.ModuleDict({
            "attention": nn.ModuleDict({n: nn.Linear(width, width) for n in ("query", "key", "value")}),
            "output": nn.ModuleDict({"dense": nn.Linear(width, width)}),
        })
        self.layernorm_after = nn.LayerNorm(width, eps)
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(width, inner)})
        self.output = nn.ModuleDict({"dense": nn.Linear(inner, width)})

    def attend(self, x):
        def split(name):  # [rows, tokens, width] to [rows, heads, tokens, head size]
            return self.attention["attention"][name](x).unflatten(2, (self.heads, -1)).transpose(1, 2)

        # Written out: PyTorch's fused attention takes twice the time here, in bfloat16 on a CPU.
        query, key, value = split("query"), split("key"), split("value")
        scores = (query * query.shape[-1] ** -0.5) @ key.transpose(2, 3)
        mixed = scores.softmax(-1) @ value
        return self.attention["output"]["dense"](mixed.transpose(1, 2).flatten(2))

    def forward(self, x):
        x = x + self.attend(self.layernorm_before(x))
        return x + self.output["dense"](F.gelu(self.intermediate["dense"](self.layernorm_after(x))))


class ViT(nn.Module):
    """Pixels [rows, 1, 28, 28] to logits [rows, classes], read from the class token."""

    def __init__(self, c):
        super().__init__()
        layers = nn.ModuleList(Layer(c) for _ in range(c["num_hidden_layers"]))
        self.vit = nn.ModuleDict({
            "embeddings": Embeddings(c),
            "encoder": nn.ModuleDict({"layer": layers}),
            "layernorm": nn.LayerNorm(c["hidden_size"], c["layer_norm_eps"]),
        })
        self.classifier = nn.Linear(c["hidden_size"], len(c["id2label"]))
        for name, value in self.named_parameters():
            if value.ndim >= 2 and not name.endswith("cls_token"):
                nn.init.trunc_normal_(value, std=c["initializer_range"])
            elif name.endswith("bias"):
                nn.init.zeros_(value)

    def forward(self, pixels):
        x = self.vit["embeddings"](pixels)
        for layer in self.vit["encoder"]["layer"]:
            x = layer(x)
        return self.classifier(self.vit["layernorm"](x[:, 0]))
