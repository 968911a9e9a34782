"""Folders that sentence-transformers saves, and what it makes of some texts with them.

    python tests/reference/sentence/folders.py

The bodies are those of tests/conformance, which are not written again. Writes beside this script

    dense/  bert: a mean, two Dense modules (tanh with a bias, and neither), and unit length. The tokenizer is
            tokenizerOf("bert") of tests/support/text-page.js
    gemma/  gemma3_embedding, as EmbeddingGemma has it: a mean, two Dense modules without activation and bias, unit length,
            prompts, texts between a beginning and an end
    last/   qwen3_embedding, as Qwen3-Embedding has it: the last token's vector, unit length, a prompt for queries, padding on
            the left, an end after each text alone

and folders.json: by folder its body, and the options of calls with the vectors they give. sentence-transformers 6.2,
transformers 5.24.
"""

import json
import logging
import shutil
import subprocess
import tempfile
from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer, models
from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

logging.disable(logging.WARNING)
HERE = Path(__file__).parent
ROOT = HERE.parents[2]
TEXTS = ["the dog", "A cat sleeps, this bird runs!", "red house of the blue bird " * 4]
BODIES = {"dense": "bert", "gemma": "gemma3_embedding", "last": "qwen3_embedding"}
PROMPTS = {
    "gemma": {"query": "task: search result | query: ", "document": "title: none | text: "},
    "last": {"query": "Instruct: find what this is\nQuery:", "document": ""},
}
NAMED = [{}, {"promptName": "query"}, {"promptName": "document"}]
CALLS = {"dense": [{}, {"prompt": "photo of "}], "gemma": NAMED, "last": NAMED}
BODY = ["config.json", "model.safetensors", "README.md"]


def word_piece(folder):
    script = "import { tokenizerOf } from './tests/support/text-page.js'; console.log(JSON.stringify(tokenizerOf('bert')));"
    said = subprocess.run(["node", "--input-type=module", "-e", script], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    (folder / "tokenizer.json").write_text(said)
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 64, "pad_token": "[PAD]", "sep_token": "[LAST]", "cls_token": "[FIRST]", "unk_token": "[UNK]"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


def words(folder, special, single, **parts):
    """Whole words, as many as the bodies have ids for."""
    known = sorted(set(" ".join([*TEXTS, *PROMPTS["gemma"].values(), PROMPTS["last"]["query"]]).lower().replace(":", " : ").replace(",", " , ").replace("!", " ! ").split()))
    tokenizer = Tokenizer(WordLevel({token: id for id, token in enumerate([*special, "<unk>", *known])}, unk_token="<unk>"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(special)
    tokenizer.post_processor = processors.TemplateProcessing(single=single, special_tokens=[(token, id) for id, token in enumerate(special)])
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", model_max_length=64, **parts).save_pretrained(folder)


def tokenizer(name, folder):
    if name == "dense":
        return word_piece(folder)
    if name == "gemma":
        return words(folder, ["<pad>", "<bos>", "<eos>"], "<bos> $A <eos>", pad_token="<pad>", bos_token="<bos>", eos_token="<eos>")
    return words(folder, ["<|endoftext|>", "<|im_end|>"], "$A <|endoftext|>", pad_token="<|endoftext|>", eos_token="<|im_end|>", padding_side="left")


def modules(name, first):
    width, plain = first.get_embedding_dimension(), dict(bias=False, activation_function=torch.nn.Identity())
    torch.manual_seed(3)
    if name == "last":
        return [first, models.Pooling(width, pooling_mode="lasttoken"), models.Normalize()]
    dense = [models.Dense(width, 64, **(plain if name == "gemma" else {})), models.Dense(64, 20, **plain)]
    return [first, models.Pooling(width, pooling_mode="mean"), *dense, models.Normalize()]


def make(name):
    with tempfile.TemporaryDirectory() as source, tempfile.TemporaryDirectory() as saved:
        for file in BODY[:2]:
            shutil.copy(ROOT / "tests/conformance" / BODIES[name] / file, source)
        tokenizer(name, Path(source))
        first = models.Transformer(source, max_seq_length=64)
        model = SentenceTransformer(modules=modules(name, first), device="cpu", prompts=PROMPTS.get(name))
        model.save_pretrained(saved)
        shutil.rmtree(HERE / name, ignore_errors=True)
        left_out = [*BODY, "tokenizer.json"] if name == "dense" else BODY
        shutil.copytree(saved, HERE / name, ignore=lambda folder, names: left_out if folder == saved else [])
        for path in (HERE / name).rglob("*.safetensors"):
            path.chmod(0o644)
        found = SentenceTransformer(saved, device="cpu")
        cases = []
        for call in CALLS[name]:
            asked = {theirs: call[ours] for theirs, ours in [("prompt", "prompt"), ("prompt_name", "promptName")] if ours in call}
            vectors = found.encode(TEXTS, **asked)
            cases.append({"options": call, "vectors": [[round(float(value), 6) for value in row[:20]] for row in vectors], "values": vectors.shape[1]})
        return {"body": BODIES[name], "cases": cases}


if __name__ == "__main__":
    said = {"texts": TEXTS, "folders": {name: make(name) for name in CALLS}}
    (HERE / "folders.json").write_text(json.dumps(said) + "\n")
