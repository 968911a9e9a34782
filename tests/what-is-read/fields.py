"""The fields that the reference implementations read of a checkpoint's files: what docs/what-is-read.md must have a line for.

    python tests/what-is-read/fields.py > tests/what-is-read/fields.json

transformers 5.24, sentence-transformers 6.2, gguf 0.17 or later.
"""

import dataclasses
import inspect
import json
import re

import gguf
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.sentence_transformer.modules import LayerNorm, Pooling
from transformers import AutoConfig, PreTrainedTokenizerBase
from transformers.models.auto.tokenization_auto import TOKENIZER_MAPPING_NAMES
from transformers.processing_utils import ImagesKwargs
from transformers.tokenization_utils_tokenizers import TokenizersBackend
import transformers

FAMILIES = """llama mistral mixtral qwen2 qwen3 qwen3_moe gpt_oss lfm2 gpt2 opt bloom mpt gptj gpt_neox falcon cohere cohere2 gemma gemma2 gemma3_text phi phi3 glm4
stablelm olmo2 olmo3 olmoe granite granitemoehybrid smollm3 starcoder2 vit deit dinov2 dinov2_with_registers bert roberta xlm-roberta camembert distilbert
modernbert t5 mt5 bart marian clip clip_text_model clip_vision_model siglip siglip_text_model siglip_vision_model""".split()
PROCESSORS = ["ViTImageProcessor", "DeiTImageProcessor", "CLIPImageProcessor", "BitImageProcessor", "SiglipImageProcessor"]


def plain(value):
    try:
        json.dumps(value)
        return value
    except TypeError:
        return str(value)


def family(name):
    config = AutoConfig.for_model(name)
    fields = {field.name for field in dataclasses.fields(config)} | set(config.to_dict())
    return sorted(field for field in fields if not field.startswith("_") or field == "_sliding_window_pattern")


def processor(name):
    made = getattr(transformers, name)()
    fields = set(ImagesKwargs.__annotations__) | set(made.to_dict())
    return {field: plain(made.to_dict().get(field)) for field in sorted(fields)}


def tokenizer():
    """What the base classes ask for by name, and what the families' own take."""
    found = {"tokenizer_class"} | set(PreTrainedTokenizerBase.SPECIAL_TOKENS_ATTRIBUTES)
    for code in (PreTrainedTokenizerBase.__init__, PreTrainedTokenizerBase._from_pretrained, TokenizersBackend.__init__):
        source = inspect.getsource(code)
        found |= set(re.findall(r'kwargs(?:\.pop|\.get|\.setdefault)\(\s*"(\w+)"', source)) | set(re.findall(r'"(\w+)" in (?:init_)?kwargs', source))
    for name in {"LlamaTokenizer"} | {TOKENIZER_MAPPING_NAMES.get(family) for family in FAMILIES} - {None}:
        found |= set(inspect.signature(getattr(transformers, name).__init__).parameters)
    # Of calls, not of the file.
    return sorted(name for name in found - {"args", "kwargs", "self", "tokenizer"} if not name.startswith("_"))


def keys():
    """llama.cpp's, without those of projectors and adapters, which are other files."""
    found = set()
    for group in vars(gguf.Keys).values():
        if inspect.isclass(group):
            found |= {value for value in vars(group).values() if isinstance(value, str) and "." in value and " " not in value}
    return sorted(found)


if __name__ == "__main__":
    import contextlib, io
    print(json.dumps({
        "config.json": {name: family(name) for name in FAMILIES},
        "preprocessor_config.json": {name: processor(name) for name in PROCESSORS},
        "tokenizer_config.json": tokenizer(),
        "sentence_bert_config.json": sorted(set(Transformer.config_keys) | {"max_seq_length", "do_lower_case"}),
        "Pooling": sorted(set(Pooling.config_keys) | set(Pooling.config_key_renames)),
        "Dense": sorted(Dense.config_keys),
        "Normalize": sorted(Normalize.config_keys),
        "gguf": keys(),
    }, indent=1))
