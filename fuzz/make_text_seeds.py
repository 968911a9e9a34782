#!/usr/bin/env python3
"""Writes the first inputs of the targets that are not about checkpoints into corpus/, from what the tests have.

    python3 -m venv v && v/bin/pip install gguf
    v/bin/python make_text_seeds.py

What a fuzzing run adds (see README.md) lies beside them, named by its hash.
"""
import base64
import json
from pathlib import Path

from gguf import GGUFReader, GGUFValueType

HERE = Path(__file__).parent
TESTS = HERE.parent / "tests"
VALUES = {name: json.loads((HERE / f"dictionaries/{name}.json").read_text())["values"] for name in ("tokenizer", "metadata")}


def write(target, name, content):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    if not isinstance(content, (str, bytes)):
        content = json.dumps(content, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def kept(tokens, special):
    """A vocabulary that is small enough to be changed: the first tokens, and short ones of each kind."""
    plain = [token for token in tokens if token not in special]
    letters = [token for token in plain if len(token.removeprefix("##").removesuffix("</w>")) == 1 and token.removeprefix("##")[0] in "▁Ġabehilnostw"]
    words = [token for token in plain if 2 <= len(token) <= 4 and all(c in "▁Ġabehilnostw#<>/" for c in token)]
    fallback = [token for token in plain if token in ("<0x0A>", "<0xE2>", "<0x96>", "<0x41>")]
    return [*special, *letters, *words[:24], *fallback]


def small(tokenizer):
    model, added = tokenizer["model"], tokenizer["added_tokens"]
    special = [token["content"] for token in added]
    if isinstance(model["vocab"], list):
        keep = set(kept([token for token, _ in model["vocab"]], []) + special + [model["vocab"][model["unk_id"]][0]])
        model["vocab"] = [entry for entry in model["vocab"] if entry[0] in keep]
        unknown = next((token for token in ("<unk>", "[UNK]") if any(token == entry[0] for entry in model["vocab"])), None)
        model["unk_id"] = next(index for index, entry in enumerate(model["vocab"]) if entry[0] == unknown)
        numbers = {token: index for index, (token, _) in enumerate(model["vocab"])}
    else:
        known = sorted(model["vocab"], key=model["vocab"].get)
        keep = kept(known, [token for token in special if token in model["vocab"]])
        numbers = {token: index for index, token in enumerate(dict.fromkeys(keep))}
        model["vocab"] = numbers
        if "merges" in model:
            merges = [merge for merge in model["merges"] if all(part in numbers for part in merge) and "".join(merge) in numbers]
            model["merges"] = merges
    for token in added:
        token["id"] = numbers.setdefault(token["content"], len(numbers))
    renumber(tokenizer["post_processor"], numbers)
    return tokenizer


def renumber(processor, numbers):
    if not processor:
        return
    for inner in processor.get("processors", []):
        renumber(inner, numbers)
    for name in ("sep", "cls"):
        if name in processor:
            processor[name][1] = numbers.get(processor[name][0], 0)
    for name, special in (processor.get("special_tokens") or {}).items():
        special["ids"] = [numbers.get(token, 0) for token in special["tokens"]]


def tokenizers():
    texts = [value for value in VALUES["tokenizer"] if isinstance(value, str)]
    for index, path in enumerate(sorted((TESTS / "reference/tokenizers").glob("*.json"))):
        file = json.loads(path.read_text())
        if "tokenizer" in file:
            config = {"bos_token": "<s>", "eos_token": "</s>", "add_bos_token": True, "chat_template": "{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}"}
            case = {"tokenizer": small(file["tokenizer"]), "texts": [texts[index % len(texts)], texts[(5 * index + 3) % len(texts)]]}
            write("tokenizer", path.stem, {**case, "config": config} if index % 4 == 0 else case)
    models = [value for value in VALUES["tokenizer"] if isinstance(value, dict) and "vocab" in value]
    for model in models:
        write("tokenizer", f"model_{model['type']}_{len(model)}", {"tokenizer": {"model": model, "added_tokens": []}, "texts": texts[:2]})


def templates():
    snippets = json.loads((TESTS / "reference/templates/snippets.json").read_text())["cases"]
    for index, (source, made) in enumerate(snippets):
        if index % (len(snippets) // 60) == 0 and len(source) < 200:
            write("template", f"snippet_{index}", source + "\0Hi")
    # Published ones, as the tests spell them.
    source = (TESTS / "native/text_template.rs").read_text()
    for index, part in enumerate(source.split('let source = "')[1:]):
        text = part.split('";')[0].replace("\\\n", "\0").replace("\\n", "\n").replace('\\"', '"')
        text = "\0".join(line.lstrip() if number else line for number, line in enumerate(text.split("\0"))).replace("\0", "")
        write("template", f"published_{index}", text + "\0 <think>\na</think> b ")


def configs():
    for path in sorted((TESTS / "conformance").glob("*/config.json")):
        config = json.loads(path.read_text())
        case = {"config": config}
        if config.get("is_encoder_decoder") or "vocab_size" in config:
            case["generation"] = {"eos_token_id": [2], "max_length": 20, "num_beams": 2, "no_repeat_ngram_size": 2, "temperature": 0.5, "top_k": 5}
        if "image_size" in json.dumps(config):
            case["preprocessor"] = {"image_processor_type": "CLIPImageProcessor", "do_resize": True, "size": {"shortest_edge": 20}, "resample": 3, "do_center_crop": True, "crop_size": {"height": 18, "width": 18},
                                    "do_rescale": True, "rescale_factor": 0.00392156862745098, "do_normalize": True, "image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.3, 0.4]}
        write("config", path.parent.name, case)


def item(field):
    kind, value = field.types[0], field.contents()
    if kind == GGUFValueType.ARRAY:
        return value[:40] if isinstance(value[0], str) or len(value) < 200 else value[:40]
    return {"f64": value} if kind == GGUFValueType.FLOAT64 else value


def metadata():
    for path in sorted((TESTS / "fixtures/llama.cpp").glob("*.gguf")):
        reader = GGUFReader(path)
        fields = {key: item(field) for key, field in reader.fields.items() if not key.startswith(("GGUF.", "split.")) and key != "tokenizer.ggml.precompiled_charsmap"}
        tensors = {tensor.name: [int(side) for side in reversed(tensor.shape)] for tensor in reader.tensors if ".1." not in tensor.name and ".2." not in tensor.name}
        write("metadata", path.stem, {"metadata": fields, "tensors": tensors})
    for kind in ("gpt2", "llama", "t5", "bert"):
        fields = {"tokenizer.ggml.model": kind, "tokenizer.ggml.tokens": ["<unk>", "<s>", "</s>", "▁", "a", "b", "▁a", "ab", "[CLS]", "[SEP]", "[UNK]", "<0x0A>"], "tokenizer.ggml.scores": [0.0, 0.0, 0.0, *(-1.0 - n / 4 for n in range(9))],
                  "tokenizer.ggml.token_type": [2, 3, 3, 1, 1, 1, 1, 1, 3, 3, 3, 6], "tokenizer.ggml.merges": ["a b", "▁ a"], "tokenizer.ggml.pre": "default", "tokenizer.ggml.bos_token_id": 1, "tokenizer.ggml.eos_token_id": 2,
                  "tokenizer.chat_template": "{% for m in messages %}{{ m.content }}{% endfor %}"}
        write("metadata", f"tokenizer_{kind}", {"metadata": fields})
    for architecture in ("vit", "deit", "dinov2"):
        keys = {"block_count": 3, "embedding_length": 48, "feed_forward_length": 64, "context_length": 64, "attention.head_count": 4, "image_size": 32, "patch_size": 16, "image_channels": 3}
        write("metadata", architecture, {"metadata": {"general.architecture": architecture, **{f"{architecture}.{key}": value for key, value in keys.items()}}, "tensors": {}})


def patterns():
    file = json.loads((TESTS / "reference/patterns/patterns.json").read_text())
    for index, case in enumerate(file["cases"]):
        if "error" not in case and len(case["pattern"]) < 120 and index % 3 == 0:
            text = file["texts"][index % len(file["texts"])]
            write("pattern", f"case_{index}", case["pattern"] + "\0" + text[:40])


def precompiled():
    for name in ("t5", "siglip", "albert"):
        file = json.loads((TESTS / f"reference/tokenizers/{name}.json").read_text())["tokenizer"]["normalizer"]
        charsmap = next(rule["precompiled_charsmap"] for rule in file["normalizers"] if rule["type"] == "Precompiled")
        for index, text in enumerate(["ﬁ e\u0301 ﷺ\t½", "plain", "n\u0303n\u0303\u0303 Ⅷ", "ｆｕｌｌ\u200b\u0007"]):
            write("precompiled", f"{name}_{index}", text.encode() + b"\xff" + base64.b64decode(charsmap))
    for size in (4, 1024):
        units = b"".join(((n * 7919 + size) & 0x7FF | 0x400).to_bytes(4, "little") for n in range(size // 4))
        write("precompiled", f"made_{size}", b"ab\xff" + len(units).to_bytes(4, "little") + units + b"x\0yz\0")


if __name__ == "__main__":
    tokenizers(), templates(), configs(), metadata(), patterns(), precompiled()
