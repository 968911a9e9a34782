"""What sentence-transformers makes of some texts with a tiny BERT (tests/conformance/bert, tokenizerOf in
tests/support/text-page.js), by its pooling, prompts and lengths.

    python tests/reference/sentence/make.py > tests/reference/sentence/sentence.json

sentence-transformers 6.2, transformers 5.24.
"""

import json
import logging
import shutil
import subprocess
import tempfile
from pathlib import Path

from sentence_transformers import SentenceTransformer

logging.disable(logging.WARNING)
ROOT = Path(__file__).parents[3]
TEXTS = ["the dog", "A cat sleeps, this bird runs!", "red house of the blue bird " * 4]
MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
]
PROMPTS = {"prompts": {"query": "photo of ", "passage": "this is: "}}
CASES = [
    *[{"pooling": {"pooling_mode": mode}} for mode in
      ["mean", "cls", "lasttoken", "max", "mean_sqrt_len_tokens", "weightedmean"]],
    {"model": {**PROMPTS, "default_prompt_name": "passage"}},
    {"model": PROMPTS},
    {"model": PROMPTS, "options": {"promptName": "query"}},
    {"model": {**PROMPTS, "default_prompt_name": "passage"}, "options": {"prompt": "blue "}},
    {"model": {**PROMPTS, "default_prompt_name": "passage"}, "options": {"promptName": "document"}},
    *[{"pooling": {"pooling_mode": mode, "include_prompt": False}, "model": {**PROMPTS, "default_prompt_name": "query"}}
      for mode in ["mean", "cls", "weightedmean", "max"]],
    {"transformer": {"max_seq_length": 9, "do_lower_case": True}},
]


def tokenizer():
    script = "import { tokenizerOf } from './tests/support/text-page.js'; console.log(JSON.stringify(tokenizerOf('bert')));"
    return subprocess.run(["node", "--input-type=module", "-e", script], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def vectors(case, json_of_tokenizer):
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for name in ["config.json", "model.safetensors"]:
            shutil.copy(ROOT / "tests/conformance/bert" / name, folder)
        (folder / "1_Pooling").mkdir()
        files = {
            "tokenizer.json": json.loads(json_of_tokenizer),
            "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 64, "pad_token": "[PAD]",
                                      "sep_token": "[LAST]", "cls_token": "[FIRST]", "unk_token": "[UNK]"},
            "modules.json": MODULES,
            "1_Pooling/config.json": {"embedding_dimension": 48, **case.get("pooling", {"pooling_mode": "mean"})},
            "sentence_bert_config.json": case.get("transformer", {"max_seq_length": 64}),
            "config_sentence_transformers.json": case.get("model", {}),
        }
        for name, content in files.items():
            (folder / name).write_text(json.dumps(content))
        model = SentenceTransformer(str(folder), device="cpu")
        options = case.get("options", {})
        asked = {name: options[ours] for name, ours in [("prompt", "prompt"), ("prompt_name", "promptName")] if ours in options}
        found = model.encode(TEXTS, **asked)
        return {**case, "vectors": [[round(float(value), 6) for value in row[:12]] for row in found]}


said = tokenizer()
print(json.dumps({"texts": TEXTS, "cases": [vectors(case, said) for case in CASES]}))
