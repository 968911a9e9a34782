"""What tokens cover where transformers' class of RoBERTa reads a tokenizer.json: it has its own way with spaces at their ends.

    python3 -m venv v && v/bin/pip install transformers==5.24.0
    v/bin/python class_offsets.py

Reads roberta.json beside this script and writes class_offsets.json: the post-processor of tokenizer.json, what
tokenizer_config.json says, and the beginnings and ends of the text's tokens, in turn.
"""
import json, logging, pathlib, tempfile
from transformers import AutoTokenizer

logging.disable(logging.WARNING)
HERE = pathlib.Path(__file__).parent
TEXT = " a  tile x"
PARTS = dict(bos_token="<s>", eos_token="</s>", cls_token="<s>", sep_token="</s>", unk_token="<unk>", pad_token="<pad>")
SPECIAL = lambda token, id: {token: {"id": token, "ids": [id], "tokens": [token]}}
PIECES = [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}]
TEMPLATE = {"type": "TemplateProcessing", "single": PIECES, "pair": PIECES, "special_tokens": SPECIAL("<s>", 0) | SPECIAL("</s>", 2)}
TEMPLATE["pair"] = PIECES[:2] + [{"Sequence": {"id": "B", "type_id": 0}}] + PIECES[2:]


def offsets(tokenizer, post, config):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "tokenizer.json").write_text(json.dumps({**tokenizer, "post_processor": post}))
        (folder / "tokenizer_config.json").write_text(json.dumps({**PARTS, **config}))
        (folder / "config.json").write_text('{"model_type": "roberta"}')
        found = AutoTokenizer.from_pretrained(folder)(TEXT, return_offsets_mapping=True, add_special_tokens=False)
        return [end for span in found["offset_mapping"] for end in span]


if __name__ == "__main__":
    tokenizer = json.loads((HERE / "roberta.json").read_text())["tokenizer"]
    own = tokenizer["post_processor"]
    byte_level = {"type": "ByteLevel", "trim_offsets": True, "add_prefix_space": False, "use_regex": True}
    posts = [own, {**own, "trim_offsets": False}, TEMPLATE, {"type": "Sequence", "processors": [byte_level, TEMPLATE]}]
    said = [{}, {"trim_offsets": False}, {"trim_offsets": True}, {"add_prefix_space": True}]
    cases = [dict(post_processor=post, config={"tokenizer_class": name, **more}) for post in posts
             for name, more in [*(("RobertaTokenizer", more) for more in said), ("BartTokenizerFast", {}), *(("PreTrainedTokenizerFast", more) for more in said[:2])]]
    for case in cases:
        case["offsets"] = offsets(tokenizer, **{"post": case["post_processor"], "config": case["config"]})
        case["config"] = {**PARTS, **case["config"]}
    (HERE / "class_offsets.json").write_text(json.dumps(dict(text=TEXT, cases=cases), separators=(",", ":")) + "\n")
