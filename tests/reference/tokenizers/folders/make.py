"""Folders without tokenizer.json, as checkpoints of the first years are published, and what transformers makes of them.

    python3 -m venv v && v/bin/pip install transformers==5.24 tokenizers==0.23.3 sentencepiece protobuf
    v/bin/python make.py [NAME ...]

Writes NAME.json beside this script: the folder's files (bytes in base64) and what the class of transformers that
AutoTokenizer takes for it gives for ugly texts. The vocabularies are trained on the text of ../make.py.
"""
import base64, io, json, pathlib, sys, tempfile

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from make import CORPUS, PAIRS, TEXTS, bpe, rules_tsv, word_piece, template
import sentencepiece
from tokenizers import Tokenizer, pre_tokenizers as P, normalizers as N
from transformers import AutoTokenizer


def byte_level(special, suffix=None):
    """vocab.json and merges.txt, as `save_vocabulary` writes them."""
    model, trainer = bpe(special, 420 if not suffix else 700, **({"end_of_word_suffix": suffix} if suffix else {}))
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = P.ByteLevel(add_prefix_space=False)
    if suffix:
        tokenizer.normalizer = N.Lowercase()
    tokenizer.train_from_iterator(CORPUS, trainer)
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.model.save(folder)
        return {name: (pathlib.Path(folder) / name).read_text() for name in ("vocab.json", "merges.txt")}


def words():
    tokenizer = word_piece(True, template("[CLS]:0 $A:0 [SEP]:0"))
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.model.save(folder)
        return {"vocab.txt": (pathlib.Path(folder) / "vocab.txt").read_text()}


def pieces(kind, size, **kw):
    out = io.BytesIO()
    if kw.pop("rules", kind == "unigram"):
        # A few of NMT's rules: all of them take 300 kB.
        file = tempfile.NamedTemporaryFile("w", suffix=".tsv")
        file.write(rules_tsv())
        file.flush()
        kw["normalization_rule_tsv"] = file.name
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(CORPUS * 3), model_writer=out, vocab_size=size, model_type=kind, minloglevel=3, hard_vocab_limit=False, character_coverage=0.99 if kind == "unigram" else 1.0, **kw)
    return out.getvalue()


def marian():
    source, target = pieces("unigram", 260), pieces("unigram", 200, user_defined_symbols=["<target>"])
    both = [sentencepiece.SentencePieceProcessor(model_proto=model) for model in (source, target)]
    texts = {model.id_to_piece(id) for model in both for id in range(model.get_piece_size()) if not model.is_control(id) and not model.is_unknown(id)}
    # Some of the source's pieces have no id, as happens.
    texts = [text for text in sorted(texts) if text not in ("▁wall", "ing", "s")]
    vocab = {text: id for id, text in enumerate(["</s>", "<unk>", *texts, ">>fr<<", "<pad>"])}
    return {"vocab.json": json.dumps(vocab, ensure_ascii=False), "source.spm": source, "target.spm": target}


def added(content, **kw):
    return dict({"__type": "AddedToken", "content": content, "lstrip": False, "normalized": True, "rstrip": False, "single_word": False}, **kw)


LLAMA = dict(byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False, split_digits=True)
FOLDERS = {
    # facebook/opt-125m: BOS is </s>, and stands before each text.
    "opt": lambda: (byte_level(["<s>", "<pad>", "</s>", "<unk>"]), "opt",
                    dict(tokenizer_class="GPT2Tokenizer", errors="replace", add_bos_token=True, add_prefix_space=False, unk_token=added("</s>"), bos_token=added("</s>"), eos_token=added("</s>"), pad_token=added("<pad>")),
                    {"special_tokens_map.json": dict(bos_token=added("</s>"), eos_token=added("</s>"), unk_token=added("</s>"), pad_token=added("<pad>"))}),
    "gpt2": lambda: (byte_level(["<|endoftext|>"]), "gpt2", dict(model_max_length=1024), {}),
    "phi": lambda: (byte_level(["<|endoftext|>"]), "phi", dict(tokenizer_class="GPT2Tokenizer", add_prefix_space=False, bos_token="<|endoftext|>", eos_token="<|endoftext|>", unk_token="<|endoftext|>"),
                    {"added_tokens.json": {"  ": 421, "    ": 420}}),
    "roberta": lambda: (byte_level(["<s>", "<pad>", "</s>", "<unk>", "<mask>"]), "roberta", dict(tokenizer_class="RobertaTokenizer", add_prefix_space=False),
                        {"special_tokens_map.json": dict(mask_token=added("<mask>", lstrip=True))}),
    "bart": lambda: (byte_level(["<s>", "<pad>", "</s>", "<unk>", "<mask>"]), "bart", dict(model_max_length=1024), {}),
    "clip": lambda: (byte_level(["<|startoftext|>", "<|endoftext|>"], "</w>"), "clip", dict(tokenizer_class="CLIPTokenizer", model_max_length=77, do_lower_case=True), {}),
    "bert": lambda: (words(), "bert", dict(do_lower_case=True, model_max_length=512), {}),
    "distilbert": lambda: (words(), "distilbert", dict(tokenizer_class="DistilBertTokenizer", do_lower_case=False, tokenize_chinese_chars=False, strip_accents=None),
                           {"special_tokens_map.json": dict(unk_token="[UNK]", sep_token="[SEP]", pad_token="[PAD]", cls_token="[CLS]", mask_token="[MASK]")}),
    # google/mt5-small: no marks of what is left out.
    "mt5": lambda: ({"spiece.model": pieces("unigram", 300, pad_id=0, eos_id=1, unk_id=2, bos_id=-1, user_defined_symbols=["▁<extra>"])}, "mt5",
                    dict(tokenizer_class="T5Tokenizer", eos_token="</s>", unk_token="<unk>", pad_token="<pad>", extra_ids=0, additional_special_tokens=None), {"special_tokens_map.json": dict(eos_token="</s>", unk_token="<unk>", pad_token="<pad>")}),
    "xlm_roberta": lambda: ({"sentencepiece.bpe.model": pieces("unigram", 300)}, "xlm-roberta", dict(tokenizer_class="XLMRobertaTokenizer", mask_token=added("<mask>", lstrip=True)), {}),
    "camembert": lambda: ({"sentencepiece.bpe.model": pieces("unigram", 300)}, "camembert", dict(tokenizer_class="CamembertTokenizer"), {}),
    "llama": lambda: ({"tokenizer.model": pieces("bpe", 560, **LLAMA)}, "llama",
                      dict(tokenizer_class="LlamaTokenizer", add_bos_token=True, add_eos_token=False, bos_token=added("<s>", normalized=False), eos_token=added("</s>", normalized=False), unk_token=added("<unk>", normalized=False), legacy=False), {}),
    "llama_legacy": lambda: ({"tokenizer.model": pieces("bpe", 560, user_defined_symbols=["<tool>"], **LLAMA)}, "llama",
                             dict(tokenizer_class="LlamaTokenizer", add_bos_token=True, legacy=True), {"added_tokens.json": {"<extra>": 560}}),
    "gemma": lambda: ({"tokenizer.model": pieces("bpe", 560, pad_id=0, eos_id=1, bos_id=2, unk_id=3, user_defined_symbols=["<mask>", "\n\n", "▁▁"], add_dummy_prefix=False, **LLAMA)}, "gemma",
                      dict(tokenizer_class="GemmaTokenizer", add_bos_token=True, add_eos_token=False), {}),
    "marian": lambda: (marian(), "marian", dict(source_lang="en", target_lang="fr", tokenizer_class="MarianTokenizer"), {}),
}


def row(tokenizer, texts):
    found = tokenizer(*texts, return_token_type_ids=True)
    made = dict(texts=texts, ids=found["input_ids"], types=found["token_type_ids"])
    if len(texts) == 1:
        made["plain"] = plain = tokenizer(texts[0], add_special_tokens=False)["input_ids"]
        made["decoded"] = tokenizer.decode(plain, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        made["skipped"] = tokenizer.decode(plain, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return made


for name in sys.argv[1:] or FOLDERS:
    files, model_type, config, others = FOLDERS[name]()
    files |= {file: json.dumps(value, ensure_ascii=False) for file, value in others.items()}
    files["tokenizer_config.json"] = json.dumps(config, ensure_ascii=False)
    with tempfile.TemporaryDirectory() as folder:
        for file, content in {**files, "config.json": json.dumps({"model_type": model_type})}.items():
            (pathlib.Path(folder) / file).write_bytes(content if isinstance(content, bytes) else content.encode())
        tokenizer = AutoTokenizer.from_pretrained(folder)
        print(name, type(tokenizer).__name__, len(tokenizer))
        # Pairs are not what Marian or causal models are for; an empty second text is none to transformers.
        pairs = PAIRS if name in ("roberta", "bart", "bert", "distilbert", "xlm_roberta", "camembert", "mt5") else []
        cases = [row(tokenizer, [text]) for text in TEXTS] + [row(tokenizer, list(pair)) for pair in pairs if all(pair)]
    stored = {file: {"base64": base64.b64encode(content).decode()} if isinstance(content, bytes) else content for file, content in files.items()}
    (HERE / f"{name}.json").write_text(json.dumps({"model_type": model_type, "files": stored, "cases": cases}, ensure_ascii=False, separators=(",", ":")) + "\n")
