"""Folders that sentence-transformers saves, and what it makes of some texts with them.

    python tests/reference/sentence/folders.py

The body is that of tests/conformance/bert, which is not written again, and the tokenizer tokenizerOf("bert") of
tests/support/text-page.js. Writes beside this script

    dense/  a mean, two Dense modules (tanh with a bias; without either, as EmbeddingGemma's are), and unit length
    last/   the last token's, with prompts and only an end token around texts, as Qwen3-Embedding has it

and folders.json: by folder the options of calls and the vectors they give. sentence-transformers 6.2, transformers 5.24.
"""

import json
import logging
import shutil
import subprocess
import tempfile
from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer, models

logging.disable(logging.WARNING)
HERE = Path(__file__).parent
ROOT = HERE.parents[2]
TEXTS = ["the dog", "A cat sleeps, this bird runs!", "red house of the blue bird " * 4]
PROMPTS = {"query": "this is: photo of ", "document": ""}
CALLS = {"dense": [{}, {"prompt": "photo of "}], "last": [{}, {"promptName": "query"}, {"promptName": "document"}]}
BODY = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "README.md"]


def tokenizer(end_alone):
    script = "import { tokenizerOf } from './tests/support/text-page.js'; console.log(JSON.stringify(tokenizerOf('bert')));"
    said = json.loads(subprocess.run(["node", "--input-type=module", "-e", script], cwd=ROOT, check=True, capture_output=True, text=True).stdout)
    if end_alone:
        pieces = said["post_processor"]["single"]
        said["post_processor"]["single"] = [piece for piece in pieces if piece.get("SpecialToken", {}).get("id") != "[FIRST]"]
    return said


def body(folder, end_alone):
    for name in ["config.json", "model.safetensors"]:
        shutil.copy(ROOT / "tests/conformance/bert" / name, folder)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer(end_alone)))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 64, "pad_token": "[PAD]", "sep_token": "[LAST]", "cls_token": "[FIRST]", "unk_token": "[UNK]"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return models.Transformer(str(folder), max_seq_length=64)


def modules(name, first):
    width = first.get_embedding_dimension()
    if name == "last":
        return [first, models.Pooling(width, pooling_mode="lasttoken"), models.Normalize()]
    torch.manual_seed(3)
    plain = models.Dense(64, 20, bias=False, activation_function=torch.nn.Identity())
    return [first, models.Pooling(width, pooling_mode="mean"), models.Dense(width, 64), plain, models.Normalize()]


def make(name):
    with tempfile.TemporaryDirectory() as source, tempfile.TemporaryDirectory() as saved:
        first = body(Path(source), name == "last")
        model = SentenceTransformer(modules=modules(name, first), device="cpu", prompts=PROMPTS if name == "last" else None)
        model.save_pretrained(saved)
        shutil.rmtree(HERE / name, ignore_errors=True)
        shutil.copytree(saved, HERE / name, ignore=lambda folder, names: BODY if folder == saved else [])
        for path in (HERE / name).rglob("*.safetensors"):
            path.chmod(0o644)
        found = SentenceTransformer(saved, device="cpu")
        cases = []
        for call in CALLS[name]:
            asked = {theirs: call[ours] for theirs, ours in [("prompt", "prompt"), ("prompt_name", "promptName")] if ours in call}
            vectors = found.encode(TEXTS, **asked)
            cases.append({"options": call, "vectors": [[round(float(value), 6) for value in row[:20]] for row in vectors], "values": vectors.shape[1]})
        return cases


if __name__ == "__main__":
    said = {"texts": TEXTS, "folders": {name: make(name) for name in CALLS}}
    (HERE / "folders.json").write_text(json.dumps(said) + "\n")
