"""Spans that transformers' token-classification pipeline finds in ugly texts.

    python3 -m venv v && v/bin/pip install torch transformers==5.24.0 safetensors
    v/bin/python make.py

Writes, for each family, FAMILY/config.json and FAMILY/model.safetensors (tiny, drawn at random until no token's best two
classes lie close together and many tokens are of one thing) and, in spans.json, what the pipeline makes of the texts:
"simple", neighbours of one thing as one, and "none", each token for itself. A span is its label, its score, and its
beginning and end in UTF-16 units. The tokenizers are those of ../tokenizers.

The last text is longer than the models take. The pipeline would cut it; here it is read as the package says that it reads
such texts: in windows of as many tokens as fit, of which each shares a quarter with the next, the first half of what they
share being the earlier one's. What the classes come to is the pipeline's own again.
"""
import json, pathlib
import numpy as np, torch
from tokenizers import Tokenizer
from transformers import (BertConfig, BertForTokenClassification, PreTrainedTokenizerFast, RobertaConfig, RobertaForTokenClassification,
                          TokenClassificationPipeline, XLMRobertaConfig, XLMRobertaForTokenClassification)

HERE = pathlib.Path(__file__).parent
TOKENIZERS = HERE.parent / "tokenizers"
LABELS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
LONGEST = 40
TEXTS = [
    "The tiles of an azulejo wall", " leading and  trailing ", "naïve CAFÉ Straße ﬁ ™ ｆｕｌｌ", "e\u0301 vs \u00e9, n\u0303o\u0308",
    "東京は日本の首都です。", "👩\u200d👧 family 👍🏽 🇯🇵 ok", "Don't can't\ttab\nnew", "a [MASK] <mask> b", "שלום عالم\u064b x",
]
TEXTS.append(" ".join(TEXTS))
SIZES = dict(hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, num_labels=len(LABELS), initializer_range=0.5,
             id2label=dict(enumerate(LABELS)), label2id={label: at for at, label in enumerate(LABELS)})
FAMILIES = {
    "bert": (BertConfig, BertForTokenClassification, "bert_uncased", dict(max_position_embeddings=LONGEST)),
    "roberta": (RobertaConfig, RobertaForTokenClassification, "roberta", dict(max_position_embeddings=LONGEST + 2, pad_token_id=1, type_vocab_size=1)),
    "xlm_roberta": (XLMRobertaConfig, XLMRobertaForTokenClassification, "xlm_roberta", dict(max_position_embeddings=LONGEST + 2, pad_token_id=1, type_vocab_size=1)),
}


class Again(Exception):
    """Classes that another draw must replace."""


def scores_of(model, ids):
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([ids])).logits[0]
    best = logits.topk(2).values
    if (best[:, 0] - best[:, 1]).min() < 0.01:
        raise Again
    return logits.softmax(-1).numpy()


def windows(count, room):
    """The tokens of each window, and those that it answers for."""
    found, start, answered = [], 0, 0
    while True:
        end = min(start + room, count)
        following = end - room // 4
        until = count if end == count else following + room // 4 // 2
        found.append((start, end, answered, until))
        if end == count:
            return found
        start, answered = following, until


def spans(pipeline, text, strategy):
    tokenizer, model = pipeline.tokenizer, pipeline.model
    whole = tokenizer(text, return_offsets_mapping=True, add_special_tokens=False)
    around = tokenizer("")["input_ids"]
    scores = np.zeros((len(whole["input_ids"]), len(LABELS)), np.float32)
    for start, end, first, until in windows(len(scores), LONGEST - len(around)):
        ids = [around[0], *whole["input_ids"][start:end], around[1]]
        scores[first:until] = scores_of(model, ids)[1 + first - start:1 + until - start]
    if len(scores) + len(around) <= LONGEST:
        found = pipeline(text, aggregation_strategy=strategy)
    else:
        tokens = pipeline.gather_pre_entities(text, np.array(whole["input_ids"]), scores, whole["offset_mapping"], np.zeros(len(scores)), strategy)
        found = [span for span in pipeline.aggregate(tokens, strategy) if span.get("entity", span.get("entity_group")) != "O"]
    unit = lambda at: len(text[:at].encode("utf-16-le")) // 2
    return [[span.get("entity") or span["entity_group"], round(float(span["score"]), 6), unit(span["start"]), unit(span["end"])]
            for span in found if span["start"] < span["end"]]


def draw(family, seed):
    config, model, tokenizer, more = FAMILIES[family]
    torch.manual_seed(seed)
    tokenizer = Tokenizer.from_str(json.dumps(json.loads((TOKENIZERS / f"{tokenizer}.json").read_text())["tokenizer"]))
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=LONGEST)
    model = model(config(vocab_size=tokenizer.get_vocab_size(), **SIZES, **more)).eval()
    # Things of several tokens.
    model.classifier.bias.data = torch.tensor([0.0, -0.3, 0.5, -0.3, 0.5])
    pipeline = TokenClassificationPipeline(model=model, tokenizer=fast, device="cpu")
    strategies = {strategy.value: strategy for strategy in type(pipeline.aggregate.__globals__["AggregationStrategy"].NONE)}
    cases = [dict(text=text) | {name: spans(pipeline, text, strategies[name]) for name in ("simple", "none")} for text in TEXTS]
    count = lambda name: sum(len(case[name]) for case in cases)
    if len({span[0] for case in cases for span in case["none"]}) < 4 or not 0.3 < count("simple") / count("none") < 0.75:
        raise Again
    return model, cases


if __name__ == "__main__":
    all = {}
    for family in FAMILIES:
        for seed in range(1000):
            try:
                model, all[family] = draw(family, seed)
                break
            except Again:
                continue
        model.save_pretrained(HERE / family)
        (HERE / family / "model.safetensors").chmod(0o644)
        print(family, seed, sum(len(case["simple"]) for case in all[family]), sum(len(case["none"]) for case in all[family]))
    (HERE / "spans.json").write_text(json.dumps(all, ensure_ascii=False, separators=(",", ":")) + "\n")
