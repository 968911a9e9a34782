"""What the reference implementation makes of tests/conformance's models where their own cases do not tell numbers apart.

    v/bin/python make.py tests/conformance OUT_DIR

quiet    embeddings so small that a norm's epsilon counts: the tensors of `tensors` times `factor`
cropped  images of fewer lines than the positions were learned on, whose positions are averaged: `lines` of them

Writes cases.json and expected.safetensors, which has every STEP-th of all that the model gives for its case's inputs:
logits of the rows (zeros where a row is padded); hidden states of the rows without padding, then logits; hidden states of the
images, then logits; vectors of the texts, then of the images.
"""
import json, pathlib, re, sys, tempfile
import torch, transformers as tf
from safetensors.torch import load_file, save_file

STEP = 37
EPSILONS = ("rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon", "norm_epsilon", "norm_eps", "layernorm_eps")
EMBEDS = re.compile(r"embed|wte|wpe|shared|cls_token|distillation_token")
CROPPED = dict(vit=32, deit=32, dinov2=42, clip=32, siglip=32)


def epsilon(config):
    if config["model_type"] == "distilbert":
        return 1e-12  # its code's own
    found = [config[name] for name in EPSILONS if name in config]
    return found[0] if found else config["text_config"].get("layer_norm_eps", 1e-5) if "text_config" in config else 1e-5


def outputs(kind, model, c, **how):
    if kind == "causal":
        mask = c["attention_mask"]
        return model(input_ids=c["input_ids"].long(), attention_mask=mask.long()).logits * mask[..., None]
    if kind == "seq2seq":
        return model(input_ids=c["input_ids"].long(), attention_mask=c["attention_mask"].long(),
                     decoder_input_ids=c["decoder_input_ids"].long()).logits
    if kind == "encoder":
        given = dict(input_ids=c["input_ids"].long(), attention_mask=c["attention_mask"].long())
        hidden = getattr(model, model.base_model_prefix)(**given).last_hidden_state
        return torch.cat([hidden[c["attention_mask"] == 1].flatten(), model(**given).logits.flatten()])
    if kind == "vision":
        base = getattr(model, model.base_model_prefix)
        hidden, logits = base(pixel_values=c["pixel_values"], **how).last_hidden_state, model(pixel_values=c["pixel_values"], **how).logits
        return torch.cat([hidden.flatten(), logits.flatten()])
    out = model(input_ids=c["input_ids"].long(), attention_mask=c["attention_mask"].long(), pixel_values=c["pixel_values"], **how)
    return torch.cat([out.text_embeds.flatten(), out.image_embeds.flatten()])


def load(folder, tensors=None):
    config = json.loads((folder / "config.json").read_text())
    with tempfile.TemporaryDirectory() as other:
        other = pathlib.Path(other)
        (other / "config.json").write_text(json.dumps(config))
        save_file(tensors or load_file(folder / "model.safetensors"), other / "model.safetensors", metadata={"format": "pt"})
        return getattr(tf, config["architectures"][0]).from_pretrained(other, attn_implementation="eager", dtype=torch.float32).eval()


source, out = map(pathlib.Path, sys.argv[1:3])
cases, expected = {"step": STEP, "quiet": {}, "cropped": {}}, {}
with torch.no_grad():
    for family, entry in json.loads((source / "index.json").read_text())["families"].items():
        folder, kind = source / family, entry["kind"]
        case = load_file(folder / "case.safetensors")
        tensors = load_file(folder / "model.safetensors")
        names = sorted(name for name in tensors if EMBEDS.search(name) and "norm" not in name.lower())
        size = max((tensors[name] for name in names), key=torch.numel).square().mean()
        factor = torch.sqrt(10 * epsilon(json.loads((folder / "config.json").read_text())) / size).item()
        model = load(folder, {name: value * factor if name in names else value for name, value in tensors.items()})
        cases["quiet"][family] = dict(factor=factor, tensors=names)
        expected[f"quiet.{family}"] = outputs(kind, model, case).flatten()[::STEP].clone()
        if family in CROPPED:
            case["pixel_values"] = case["pixel_values"][:, :, : CROPPED[family]].contiguous()
            how = {} if family == "dinov2" else dict(interpolate_pos_encoding=True)
            cases["cropped"][family] = dict(lines=CROPPED[family])
            expected[f"cropped.{family}"] = outputs(kind, load(folder), case, **how).flatten()[::STEP].clone()
        print(family, len(names), f"{factor:.2g}", expected[f"quiet.{family}"].abs().max().item())
(out / "cases.json").write_text(json.dumps(cases, indent=1) + "\n")
save_file(expected, out / "expected.safetensors")
