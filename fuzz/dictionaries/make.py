"""What the mutator puts into JSON: values and names of fields, of the files that tests have.

    python3 make.py

Writes tokenizer.json, config.json and metadata.json beside this script.
"""
import json
import pathlib

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
FIELDS = json.loads((ROOT / "tests/what-is-read/fields.json").read_text())


def regex(pattern):
    return {"Regex": pattern}


def split(pattern, behavior="Isolated", invert=False):
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}


def token(content, **flags):
    return {"id": 3, "content": content, "special": False, "normalized": False, **flags}


STEPS = [
    *({"type": name} for name in ["ByteLevel", "Whitespace", "WhitespaceSplit", "BertPreTokenizer", "Punctuation", "Digits", "UnicodeScripts", "Metaspace"]),
    {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False, "trim_offsets": True}, {"type": "Digits", "individual_digits": True},
    {"type": "ByteLevel", "add_prefix_space": True, "use_regex": True, "trim_offsets": True},
    {"type": "FixedLength", "length": 2}, {"type": "CharDelimiterSplit", "delimiter": "e"}, {"type": "Punctuation", "behavior": "MergedWithPrevious"},
    *({"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": cut} for scheme in ["always", "first", "never"] for cut in [True, False]),
    *(split(regex(pattern), behavior) for pattern, behavior in [
        (r"\s+", "Removed"), (r"\p{L}+", "MergedWithPrevious"), (r"\p{N}{1,3}", "MergedWithNext"), (r"[^\s\p{L}]+|\s+(?!\S)", "Contiguous"), ("", "Isolated"), (r"(?=[A-Z])", "Isolated")]),
    split({"String": " "}, "MergedWithPrevious"), split({"String": "e"}, "Removed", True), split(regex(r"\w+"), "Removed", True),
]
RULES = [
    *({"type": name} for name in ["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt", "ByteLevel"]),
    {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True},
    {"type": "BertNormalizer", "clean_text": False, "handle_chinese_chars": False, "strip_accents": True, "lowercase": False},
    {"type": "Strip", "strip_left": True, "strip_right": True}, {"type": "Strip", "strip_left": False, "strip_right": True},
    {"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
    {"type": "Replace", "pattern": regex(r"\s{2,}"), "content": " "}, {"type": "Replace", "pattern": {"String": "e"}, "content": ""},
    {"type": "Replace", "pattern": regex("a|b"), "content": "xyz"},
]
DECODERS = [
    {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}, {"type": "WordPiece", "prefix": "##", "cleanup": True}, {"type": "WordPiece", "prefix": "", "cleanup": False},
    {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}, {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "never", "split": True},
    {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}, {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "BPEDecoder", "suffix": "</w>"},
    {"type": "CTC", "pad_token": "<pad>", "word_delimiter_token": "|", "cleanup": True},
]
PROCESSORS = [
    {"type": "BertProcessing", "sep": ["b", 1], "cls": ["a", 0]}, {"type": "RobertaProcessing", "sep": ["b", 1], "cls": ["a", 0], "trim_offsets": True, "add_prefix_space": True},
    {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "a", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}], "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
     "special_tokens": {"a": {"id": "a", "ids": [0], "tokens": ["a"]}}},
]
MODELS = [
    {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, "▁": 3, "▁a": 4}, "merges": [["a", "b"], ["▁", "a"]]},
    {"type": "BPE", "vocab": {"<unk>": 0, "a": 1, "b": 2, "ab": 3, "<0xE2>": 4, "<0x96>": 5}, "merges": ["a b"], "unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True, "ignore_merges": True},
    {"type": "WordPiece", "vocab": {"[UNK]": 0, "a": 1, "##b": 2, "ab": 3}, "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100},
    {"type": "WordLevel", "vocab": {"<unk>": 0, "a": 1, "e": 2}, "unk_token": "<unk>"},
    {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], ["a", -1.0], ["▁", -2.0], ["▁a", -2.5], ["e\u0301", -3.0]], "byte_fallback": False},
]
TEXTS = [
    "The tiles of an azulejo wall", " leading  and trailing ", "e\u0301 \u00e9 n\u0303 \u1112\u1161\u11ab", "東京は 你好，世界", "👩\u200d👩\u200d👧 👍🏽 🇯🇵 ❤\ufe0f", "tab\tnull\x00nel\x85 zwsp\u200b bom\ufeff nbsp\u00a0x\u3000",
    "Straße İ ǅ ΑΣ ﬁ ½ ² Ⅷ ٣٤", "<s>a</s> <unk> <mask>b [CLS] x <|endoftext|>y", "▁already ▁ marked▁", "<0x41> Ġ Ċ", "Don't can't I'LL 1234567890 3.14", "\r\n\n\t ", "नमस्ते ภาษาไทย שלום", "``quoted'' ...",
]


def tokenizer():
    values = [*STEPS, *RULES, *DECODERS, *PROCESSORS, *MODELS, *TEXTS]
    for kind, key, list_ in [("Sequence", "normalizers", RULES), ("Sequence", "pretokenizers", STEPS), ("Sequence", "decoders", DECODERS), ("Sequence", "processors", PROCESSORS)]:
        values += [{"type": kind, key: list_[start::3][:3]} for start in range(3)]
    values += [token("<mask>", lstrip=True), token("the", single_word=True, normalized=True), token("</s>", rstrip=True, special=True), token("é", normalized=True), token(" "), token("▁")]
    names = ["type", "normalizer", "pre_tokenizer", "post_processor", "decoder", "added_tokens", "model", "truncation", "padding", "vocab", "merges", "unk_token", "unk_id", "fuse_unk", "byte_fallback", "ignore_merges",
             "continuing_subword_prefix", "end_of_word_suffix", "max_input_chars_per_word", "dropout", "lstrip", "rstrip", "single_word", "normalized", "special", "content", "id", "pattern", "Regex", "String",
             "behavior", "invert", "replacement", "prepend_scheme", "split", "add_prefix_space", "use_regex", "bos_token", "eos_token", "add_bos_token", "add_eos_token", "chat_template", "model_max_length", "truncation_side",
             "pad_token", "a", "b", "ab", "▁a", "##a", "a</w>", "Ġa", "<unk>"]
    return {"values": values, "names": names}


def flat(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for inner in value:
            yield from flat(inner)
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from flat(inner)


def config():
    scaling = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192, "attention_factor": 1.0, "rope_theta": 10000.0}
    families = list(FIELDS["config.json"])
    values = [*families, *({"rope_type": kind, **scaling} for kind in ["default", "linear", "dynamic", "yarn", "longrope", "llama3", "proportional"]),
              {"rope_type": "longrope", "short_factor": [1.0] * 4, "long_factor": [2.0] * 4, **scaling}, ["full_attention", "sliding_attention"], {"0": "LABEL_0", "1": "LABEL_1"},
              *["gelu", "gelu_new", "gelu_pytorch_tanh", "silu", "relu", "quick_gelu", "gelu_fast", "swiglu", "gated-gelu", "sigmoid", "tanh", "linear"],
              *["LlamaForCausalLM", "BertForSequenceClassification", "BertForMaskedLM", "ViTForImageClassification", "T5EncoderModel", "CLIPModel"], "single_label_classification", "multi_label_classification", "regression",
              {"height": 224, "width": 224}, {"shortest_edge": 224}, {"shortest_edge": 20, "longest_edge": 30}, "ViTImageProcessor", "CLIPImageProcessor", "BitImageProcessor", "SiglipImageProcessor", "DeiTImageProcessor", [0.5, 0.5, 0.5], [0.0],
              [[1, 2], [3]], {"quant_method": "gptq"}, "never"]
    names = sorted({name for name in flat([FIELDS["config.json"], FIELDS["preprocessor_config.json"], FIELDS.get("generation_config.json", [])]) if name.islower()})
    return {"values": values, "names": names}


def metadata():
    architectures = ["llama", "qwen2", "qwen3", "gpt2", "bloom", "mpt", "gptneox", "falcon", "command-r", "gemma", "gemma2", "gemma3", "phi2", "phi3", "stablelm", "olmo2", "smollm3", "starcoder2", "bert", "modern-bert", "t5", "t5encoder", "vit", "deit", "dinov2"]
    values = [*architectures, "yarn", "linear", "none", "gpt2", "llama", "t5", "bert", "default", "llama-bpe", "qwen2", "deepseek-llm", "superbpe", "modern-bert", ["<unk>", "<s>", "</s>", "▁", "a", "b", "▁a", "ab", "<0x0A>"], [2, 3, 3, 1, 1, 1, 1, 1, 6],
              [0.0, 0.0, 0.0, -1.0, -2.0, -3.0, -4.0, -5.0, -6.5], ["a b", "▁ a"], {"u8": [4, 0, 0, 0, 0, 0, 0, 0, 0]}, {"f32": "NaN"}, {"f32": "inf"}, {"u64": 1 << 40}, {"f64": 1e308}, {"i32": -1}, {"f32": [0.5, 0.5, 0.5]}, [True, False, True], [131, 48], [48], [3, 16, 16, 48], [48, 64]]
    keys = [name for name in flat(FIELDS["gguf"])]
    names = keys + [key.replace("{arch}", architecture) for key in keys if "{arch}" in key for architecture in architectures[::5]]
    tensors = ["token_embd.weight", "output.weight", "output_norm.weight", "blk.0.attn_q.weight", "blk.0.attn_qkv.weight", "blk.0.ffn_gate.weight", "rope_freqs.weight", "position_embd.weight", "cls.weight", "cls.output.weight", "token_types.weight", "blk.0.attn_q_norm.weight", "enc.blk.0.attn_rel_b.weight"]
    return {"values": values, "names": names + tensors}


if __name__ == "__main__":
    for make in (tokenizer, config, metadata):
        (HERE / f"{make.__name__}.json").write_text(json.dumps(make(), ensure_ascii=False, separators=(",", ":")) + "\n")
