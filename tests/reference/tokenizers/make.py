"""Small tokenizers, built as the families' published ones are, with what Python makes of ugly texts.

    python3 -m venv v && v/bin/pip install tokenizers==0.23.3 sentencepiece protobuf
    v/bin/python make.py [FAMILY ...]

Writes FAMILY.json beside this script: the tokenizer.json, what encoding gives (with and without special
tokens, pairs, truncated) and what decoding gives. The vocabularies are trained on the text below.
"""
import base64, io, json, pathlib, sys
import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers as N, pre_tokenizers as P, processors, trainers

HERE = pathlib.Path(__file__).parent
CORPUS = """The tiles of an azulejo wall are painted blue on white, and together they make one picture.
A model reads tokens; a token is a word, a part of a word, or a single byte. Don't say it can't: it'll work, we've seen 2 or 3.
In 1984 there were 12,345 tiles and 6.789 % of them were broken (or "lost"). What's next? They're fine!
naïve café coöperate Straße façade garçon über Ångström résumé
Привет мир, это короткий текст. Слова и числа 2024. Γειά σου Κόσμε.
東京は日本の首都です。 今日は良い天気ですね。 你好，世界！ 我们学习语言模型。 안녕하세요 세계
שלום עולם مرحبا بالعالم हिन्दी में पाठ ภาษาไทย
def main(args):\n    return [x ** 2 for x in range(10) if x % 2 == 0]  # squares
""".split("\n")
TEXTS = [
    "", " ", "   ", "\n", " \t\r\n ", "The tiles of an azulejo wall", "the tiles  of   an", " leading and trailing ", "tiles\n\n\ntokens\n",
    "Don't can't I'LL we've THEY'RE it's", "1234567890 3.14 ½ ² Ⅷ ٣٤ 12,345", "naïve CAFÉ Straße ǅ İstanbul ΑΣ ς",
    "e\u0301 vs \u00e9, n\u0303o\u0308 a\u0315\u0300", "東京は日本の首都です。你好，世界", "안녕하세요 \u1112\u1161\u11ab", "שלום עולם مرحبا\u064b بالعالم \u200fRTL\u200e",
    "👩\u200d👩\u200d👧\u200d👦 family 👍🏽 🇯🇵 ❤\ufe0f", "नमस्ते हिन्दी ภาษาไทย", "tab\tnull\x00bell\x07del\x7f nel\x85 zwsp\u200b bom\ufeff nbsp\u00a0x \u3000wide \u2028line",
    "ﬁ ﬂ ™ … “quotes”—dash ‘x’ ｆｕｌｌ ＷＩＤＴＨ ﷺ", "private \ue000 \U000f0000 unassigned \u0378 \ufffd", "x" * 130, "unbelievablyantidisestablishmentarianism tokenizers",
    "a_b-c.d/e\\f@g#h$i%j^k&l*m(n)o[p]q{r}s|t<u>v", "``quoted'' ''double`` 'single'", "!!!???...---===", "def f(x):\n\treturn  x **  2    # two",
    "<s>a</s> <unk> <mask>b [CLS] not [SEP] [MASK] x <|endoftext|>y", "b <mask> c  <mask>  d<mask>", "<extra>in<extra>text <Extra> word<extra>", "▁already ▁ marked▁",
    "Ġbyte Ċ level ġ", "<0x41> <0xZZ>", "MixedCase UPPER lower tOKEN", "word " * 12,
]
PAIRS = [("the tiles", "a wall"), ("", ""), ("a", ""), ("", "b c"), ("The tiles of an azulejo wall are blue", "two words"), ("two words", " The tiles of an azulejo wall are blue"),
         ("a <mask> b", "<mask>"), ("東京 是", "👍🏽 e\u0301")]
CUTS = [4, 5, 7, 10, 11]


RULES = {"ﬁ": "fi", "ﬂ": "fl", "™": "TM", "½": "1⁄2", "²": "2", "…": "...", "\t": " ", "\n": " ", "\r": " ", "\u3000": " ", "\u00a0": " ", "\u200b": " ", "\x07": "", "e\u0301": "é", "n\u0303": "ñ", "o\u0308": "ö", "ｆ": "f", "ｕ": "u", "ｌ": "l", "Ⅷ": "VIII", "ﷺ": "صلى الله عليه وسلم"}


def rules_tsv():
    return "".join(" ".join(f"{ord(c):X}" for c in k) + "\t" + " ".join(f"{ord(c):X}" for c in v) + "\n" for k, v in RULES.items())


def charsmap():
    """A small set of SentencePiece's compiled rules: compatibility forms, spaces, and characters left out."""
    tsv = HERE / "rules.tsv"
    tsv.write_text(rules_tsv())
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(CORPUS), model_writer=out, vocab_size=400, model_type="char", normalization_rule_tsv=str(tsv), minloglevel=3)
    tsv.unlink()
    from sentencepiece import sentencepiece_model_pb2
    model = sentencepiece_model_pb2.ModelProto.FromString(out.getvalue())
    return model.normalizer_spec.precompiled_charsmap


def bpe(special, size, byte_level=True, **kw):
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=special, show_progress=False, initial_alphabet=P.ByteLevel.alphabet() if byte_level else [],
                                  **({"end_of_word_suffix": kw["end_of_word_suffix"]} if "end_of_word_suffix" in kw else {}))
    return models.BPE(**kw), trainer


def finish(tokenizer, trainer, decoder, post=None, added=()):
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.decoder = decoder
    tokenizer.add_tokens([token for token in added if not token.special])
    tokenizer.add_special_tokens([token for token in added if token.special])
    if post:
        tokenizer.post_processor = post(lambda token: (token, tokenizer.token_to_id(token)))
    return tokenizer


def template(single, pair=None):
    names = {piece.split(":")[0] for piece in (single + " " + (pair or "")).split() if piece[0] != "$"}
    return lambda of: processors.TemplateProcessing(single=single, pair=pair or "$A:0 $B:1", special_tokens=[of(name) for name in sorted(names)])


def byte_level(special, size=420, normalizer=None, steps=None, post=None, added=(), options={}, prefix=False):
    model, trainer = bpe(special, size, **options)
    tokenizer = Tokenizer(model)
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = steps or P.ByteLevel(add_prefix_space=prefix)
    return finish(tokenizer, trainer, decoders.ByteLevel(), post, added)


MASK = AddedToken("<mask>", lstrip=True, special=True, normalized=False)
EXTRA = AddedToken("<extra>", single_word=True, special=False, normalized=True)
ROBERTA = ["<s>", "<pad>", "</s>", "<unk>"]
CL100K = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def split_bytes(*patterns):
    return P.Sequence([P.Split(Regex(pattern), "isolated") for pattern in patterns] + [P.ByteLevel(add_prefix_space=False, use_regex=False)])


def roberta(prefix, trim):
    return byte_level(ROBERTA, prefix=prefix, added=[MASK, EXTRA], post=lambda of: processors.RobertaProcessing(of("</s>"), of("<s>"), trim_offsets=trim, add_prefix_space=prefix))


def word_piece(lowercase, post):
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = N.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = P.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=420, special_tokens=special, show_progress=False)
    return finish(tokenizer, trainer, decoders.WordPiece(), post, [AddedToken("<extra>", normalized=True, special=False)])


def unigram(special, unk, normalizer, steps, post, added=(), **kw):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, steps
    trainer = trainers.UnigramTrainer(vocab_size=300, special_tokens=special, unk_token=unk, show_progress=False, **kw)
    return finish(tokenizer, trainer, decoders.Metaspace(), post, added)


def piece_bpe(normalizer, steps, post, decoder, special=("<unk>", "<s>", "</s>"), added=()):
    special = [*special, *(f"<0x{byte:02X}>" for byte in range(256))]
    model, trainer = bpe(special, 560, byte_level=False, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    tokenizer = Tokenizer(model)
    if normalizer:
        tokenizer.normalizer = normalizer
    if steps:
        tokenizer.pre_tokenizer = steps
    tokenizer = finish(tokenizer, trainer, decoder, post, added)
    # The bytes are plain tokens, not added ones.
    file = json.loads(tokenizer.to_str())
    file["added_tokens"] = [token for token in file["added_tokens"] if not token["content"].startswith("<0x")]
    return Tokenizer.from_str(json.dumps(file))


def clip():
    special = ["<|startoftext|>", "<|endoftext|>"]
    words = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
    return byte_level(special, 700, N.Sequence([N.NFC(), N.Replace(Regex(r"\s+"), " "), N.Lowercase()]),
                      P.Sequence([P.Split(Regex(words), "removed", invert=True), P.ByteLevel(add_prefix_space=False)]),
                      lambda of: processors.RobertaProcessing(of("<|endoftext|>"), of("<|startoftext|>"), trim_offsets=False, add_prefix_space=False),
                      options=dict(end_of_word_suffix="</w>", continuing_subword_prefix="", unk_token="<|endoftext|>"))


def t5():
    extra = [AddedToken(f"<extra_id_{n}>", special=True) for n in range(3)]
    return unigram(["<pad>", "</s>", "<unk>"], "<unk>", N.Sequence([N.Precompiled(charsmap()), N.Strip(left=False, right=True), N.Replace(Regex(" {2,}"), "▁")]),
                   P.Metaspace(), template("$A </s>", "$A </s> $B </s>"), extra)


def xlm_roberta():
    return unigram(["<s>", "<pad>", "</s>", "<unk>"], "<unk>", N.Precompiled(charsmap()), P.Sequence([P.WhitespaceSplit(), P.Metaspace()]),
                   template("<s> $A </s>", "<s> $A </s> </s> $B </s>"), [AddedToken("<mask>", lstrip=True, special=True, normalized=False)])


def albert():
    steps = [N.Replace("``", '"'), N.Replace("''", '"'), N.NFKD(), N.StripAccents(), N.Lowercase(), N.Precompiled(charsmap())]
    return unigram(["<pad>", "<unk>", "[CLS]", "[SEP]"], "<unk>", N.Sequence(steps), P.Sequence([P.WhitespaceSplit(), P.Metaspace()]),
                   template("[CLS]:0 $A:0 [SEP]:0", "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1"), [AddedToken("[MASK]", lstrip=True, special=True, normalized=False)])


def mbart():
    return unigram(["<s>", "<pad>", "</s>", "<unk>", "en_XX"], "<unk>", N.Sequence([N.Precompiled(charsmap()), N.Replace(Regex(" {2,}"), " ")]),
                   P.Metaspace(prepend_scheme="always", split=True), template("en_XX $A </s>", "en_XX $A $B </s>"))


def siglip():
    marks = r"""[!"\#\$%\&'\(\)\*\+,\-\.:;=\?@\[\\\]\^_`\{\|\}\~]"""
    steps = [N.Lowercase(), N.Replace(Regex(marks), ""), N.Replace(Regex(r"\s+"), " "), N.Strip(), N.Precompiled(charsmap())]
    return unigram(["</s>", "<unk>"], "<unk>", N.Sequence(steps), P.Metaspace(), template("$A </s>"))


def nmt():
    return unigram(["</s>", "<unk>", "<pad>"], "<unk>", N.Sequence([N.Nmt(), N.NFKC(), N.Replace(Regex(" {2,}"), " ")]), P.Metaspace(prepend_scheme="first"), template("$A </s>"))


def word_level(steps, normalizer=None, decoder=None):
    """Whole words, or what else stands between the cuts."""
    tokenizer = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = steps
    trainer = trainers.WordLevelTrainer(vocab_size=300, special_tokens=["[UNK]", "[CLS]", "[SEP]"], show_progress=False)
    return finish(tokenizer, trainer, decoder, template("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1"), [EXTRA, MASK])


def bytes_first():
    """The newer way to write bytes: before a text is cut, so that patterns see them."""
    model, trainer = bpe(["<|endoftext|>"], 420)
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = N.Sequence([N.NFC(), N.ByteLevel()])
    tokenizer.pre_tokenizer = P.Split(Regex(r"Ġ?[^Ġ]+|Ġ+"), "isolated")
    return finish(tokenizer, trainer, decoders.ByteLevel(), None, [EXTRA, MASK])


LLAMA = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
FAMILIES = {
    "gpt2": lambda: byte_level(["<|endoftext|>"], post=lambda of: processors.ByteLevel(trim_offsets=False)),
    "opt": lambda: byte_level(["<s>", "<pad>", "</s>"], post=template("</s> $A", "</s> $A </s>:1 $B:1"), prefix=False),
    "roberta": lambda: roberta(False, True),
    "roberta_prefix": lambda: roberta(True, True),
    "bert_uncased": lambda: word_piece(True, template("[CLS]:0 $A:0 [SEP]:0", "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1")),
    "bert_cased": lambda: word_piece(False, lambda of: processors.BertProcessing(of("[SEP]"), of("[CLS]"))),
    "modern_bert": lambda: byte_level(["<|endoftext|>", "<|padding|>"], normalizer=N.NFC(), post=template("[CLS]:0 $A:0 [SEP]:0", "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1"),
                                      added=[AddedToken(" " * n, special=False, normalized=True) for n in (6, 4, 3, 2)] + [AddedToken(t, special=True, normalized=False, lstrip=t == "[MASK]") for t in ("[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]")]),
    "cohere": lambda: byte_level(["<PAD>", "<BOS_TOKEN>"], normalizer=N.NFC(), steps=P.Sequence([P.Digits(individual_digits=True), P.ByteLevel(add_prefix_space=False, trim_offsets=True)]),
                                 post=template("<BOS_TOKEN> $A", "<BOS_TOKEN> $A <BOS_TOKEN>:1 $B:1")),
    "bloom": lambda: byte_level(["<unk>", "<s>", "</s>", "<pad>"], steps=split_bytes(r" ?[^(\s|[.,!?…。，、।۔،])]+"), post=lambda of: processors.ByteLevel(trim_offsets=False)),
    "falcon": lambda: byte_level(["<|endoftext|>"], steps=P.Sequence([P.Punctuation("contiguous"), P.ByteLevel(add_prefix_space=False), P.Digits(), P.Split(Regex("[0-9][0-9][0-9]"), "isolated")])),
    "qwen2": lambda: byte_level(["<|endoftext|>", "<|im_start|>"], normalizer=N.NFC(), steps=split_bytes(CL100K % ""), post=lambda of: processors.ByteLevel(trim_offsets=False)),
    "llama3": lambda: byte_level(["<|begin_of_text|>"], steps=split_bytes(CL100K % "{1,3}"), options=dict(ignore_merges=True),
                                 post=lambda of: processors.Sequence([processors.ByteLevel(trim_offsets=False), template("<|begin_of_text|> $A", "<|begin_of_text|> $A <|begin_of_text|>:1 $B:1")(of)])),
    "clip": clip, "t5": t5, "xlm_roberta": xlm_roberta, "albert": albert, "mbart": mbart, "siglip": siglip, "nmt": nmt,
    "llama": lambda: piece_bpe(N.Sequence([N.Prepend("▁"), N.Replace(" ", "▁")]), None, template("<s> $A", "<s> $A <s>:1 $B:1"), decoders.Sequence(LLAMA + [decoders.Strip(" ", 1, 0)]),
                               added=[AddedToken("<|end|>", special=True, normalized=False, rstrip=True)]),
    "llama_new": lambda: piece_bpe(None, P.Metaspace(prepend_scheme="first", split=False), template("<s> $A", "<s> $A <s>:1 $B:1"), decoders.Sequence(LLAMA + [decoders.Strip(" ", 1, 0)])),
    "gemma": lambda: piece_bpe(N.Replace(" ", "▁"), P.Split(" ", "merged_with_previous"), template("<bos> $A", "<bos> $A <bos>:1 $B:1"), decoders.Sequence(LLAMA), special=("<pad>", "<eos>", "<bos>", "<unk>"),
                               added=[AddedToken("\n" * n, special=False, normalized=False) for n in (2, 3)]),
    "word_level": lambda: word_level(P.Whitespace(), N.Lowercase()),
    "unicode_scripts": lambda: word_level(P.Sequence([P.UnicodeScripts(), P.CharDelimiterSplit(" ")]), N.NFKC()),
    "fixed_length": lambda: word_level(P.FixedLength(3), None, decoders.Fuse()),
    "bytes_first": bytes_first,
}


def case(tokenizer, texts, most=None):
    if most:
        tokenizer.enable_truncation(most)
    found = tokenizer.encode(*texts)
    tokenizer.no_truncation()
    row = dict(texts=texts, ids=found.ids)
    if any(found.type_ids):
        row["types"] = found.type_ids
    if most:
        row["most"] = most
    if len(texts) == 1 and not most:
        row["plain"] = plain = tokenizer.encode(texts[0], add_special_tokens=False).ids
        row["decoded"], row["skipped"] = tokenizer.decode(plain, skip_special_tokens=False), tokenizer.decode(plain)
    return row


if __name__ == "__main__":
    for family in sys.argv[1:] or FAMILIES:
        tokenizer = FAMILIES[family]()
        cases = [case(tokenizer, [text]) for text in TEXTS] + [case(tokenizer, list(pair)) for pair in PAIRS]
        cases += [case(tokenizer, texts, most) for texts in (["The tiles of an azulejo wall"], *map(list, PAIRS[4:6])) for most in CUTS]
        file = {"tokenizer": json.loads(tokenizer.to_str()), "cases": cases}
        (HERE / f"{family}.json").write_text(json.dumps(file, ensure_ascii=False, separators=(",", ":")) + "\n")
        print(family, len(tokenizer.get_vocab()), (HERE / f"{family}.json").stat().st_size)
