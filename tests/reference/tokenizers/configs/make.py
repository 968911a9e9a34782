"""What transformers makes of tokenizer_config.json beside a tokenizer.json that says otherwise.

    python3 -m venv v && v/bin/pip install transformers==5.24 tokenizers==0.23.3 sentencepiece protobuf
    v/bin/python make.py

Writes cases.json beside this script: for a family of ../make.py and a configuration the ids of some texts, and what is
written of them.
"""
import json, pathlib, tempfile
from transformers import AutoTokenizer

HERE = pathlib.Path(__file__).parent
TEXTS = ["The tiles of an Azulejo Wall", "naïve CAFÉ 東京は 2024", " <extra> leading<new>and <made>", "a <s> b </s> [MASK] <mask> <pad>c", "<NEW> tiles<extra>"]


def token(content, **kw):
    return dict(dict(content=content, lstrip=False, rstrip=False, single_word=False, normalized=False, special=False), **kw)


BERT, GENERIC = dict(tokenizer_class="BertTokenizer"), dict(tokenizer_class="PreTrainedTokenizerFast")
NEW = {"added_tokens_decoder": {"420": token("<new>", lstrip=True), "421": token("<made>", special=True)}}
CASES = [
    ("bert_uncased", "bert", BERT | dict(do_lower_case=False)),
    ("bert_uncased", "bert", BERT | dict(do_lower_case=True, strip_accents=False)),
    ("bert_uncased", "bert", BERT | dict(do_lower_case=False, strip_accents=True)),
    ("bert_uncased", "bert", BERT | dict(do_lower_case=True, tokenize_chinese_chars=False)),
    ("bert_uncased", "bert", GENERIC | dict(do_lower_case=False, tokenize_chinese_chars=False)),
    ("bert_cased", "bert", BERT | dict(do_lower_case=True)),
    ("bert_cased", "distilbert", dict(tokenizer_class="DistilBertTokenizerFast", do_lower_case=False, strip_accents=True)),
    ("gpt2", "gpt2", dict(tokenizer_class="GPT2Tokenizer", add_prefix_space=True)),
    ("gpt2", "gpt2", GENERIC | dict(add_prefix_space=True)),
    ("roberta_prefix", "roberta", dict(tokenizer_class="RobertaTokenizer", add_prefix_space=False)),
    ("roberta", "roberta", dict(tokenizer_class="RobertaTokenizer", add_prefix_space=True)),
    ("llama_new", "llama", dict(tokenizer_class="LlamaTokenizer", legacy=False, add_prefix_space=False)),
    ("gpt2", "gpt2", GENERIC | NEW),
    ("gpt2", "gpt2", GENERIC | NEW | dict(eos_token="<made>", pad_token="<pad>", extra_special_tokens=["<extra>"])),
    ("gpt2", "gpt2", GENERIC | dict(additional_special_tokens=["<s>", token("</s>", rstrip=True, special=True, __type="AddedToken")], image_token="<NEW>")),
    ("roberta", "roberta", GENERIC | {"added_tokens_decoder": {"420": token("<mask>", rstrip=True, special=True), "421": token("<extra>", special=True)}}),
    ("t5", "t5", GENERIC | dict(unk_token="<unk>", bos_token="▁a", sep_token=token("c", single_word=True, __type="AddedToken"))),
    ("llama", "llama", GENERIC | dict(mask_token="tiles", cls_token="<made>", add_bos_token=False)),
]


def row(tokenizer, text):
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    return dict(text=text, ids=tokenizer(text)["input_ids"], plain=ids, skipped=tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))


cases = []
for family, model_type, config in CASES:
    with tempfile.TemporaryDirectory() as folder:
        files = {"tokenizer.json": json.loads((HERE.parent / f"{family}.json").read_text())["tokenizer"], "tokenizer_config.json": config, "config.json": {"model_type": model_type}}
        for name, value in files.items():
            (pathlib.Path(folder) / name).write_text(json.dumps(value))
        tokenizer = AutoTokenizer.from_pretrained(folder)
    print(family, type(tokenizer).__name__, config)
    cases.append(dict(family=family, config=config, rows=[row(tokenizer, text) for text in TEXTS]))
(HERE / "cases.json").write_text(json.dumps(cases, ensure_ascii=False, indent=None, separators=(",", ":")).replace('},{"family"', '},\n{"family"') + "\n")
