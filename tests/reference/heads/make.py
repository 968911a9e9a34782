"""What the reference makes of classes' logits, and of texts longer than a T5's `n_positions`.

    python tests/reference/heads/make.py > tests/reference/heads/heads.json

transformers 5.24, sentence-transformers 6.2.
"""

import json
import logging
from pathlib import Path
from types import SimpleNamespace

import torch
from sentence_transformers import CrossEncoder
from transformers import AutoModelForSeq2SeqLM, BertConfig
from transformers.pipelines.text_classification import TextClassificationPipeline

logging.disable(logging.WARNING)
CONFORMANCE = Path(__file__).parents[2] / "conformance"
LOGITS = {1: [[-0.75], [2.5]], 3: [[-0.5, 2.0, 0.25]]}
IDENTITY, SIGMOID = "torch.nn.modules.linear.Identity", "torch.nn.modules.activation.Sigmoid"


def pipeline(fields, logits):
    """By class, as the pipeline of transformers has it."""
    self = SimpleNamespace(model=SimpleNamespace(config=BertConfig(**fields)))
    answer = TextClassificationPipeline.postprocess(self, {"logits": torch.tensor([logits])}, top_k=None, _legacy=False)
    return [next(each["score"] for each in answer if each["label"] == f"LABEL_{index}") for index in range(len(logits))]


def cross_encoder(fields, logits):
    self = SimpleNamespace(config=BertConfig(**fields), num_labels=len(logits), trust_remote_code=False)
    self._resolve_activation_fn = lambda path: CrossEncoder._resolve_activation_fn(self, path)
    activation = CrossEncoder.get_default_activation_fn(self)
    return activation(torch.tensor([logits]))[0].tolist()


def scores():
    cases = []
    for count, rows in LOGITS.items():
        for problem in [None, "regression", "multi_label_classification", "single_label_classification"]:
            if count == 1 and problem == "single_label_classification":
                continue  # Refused there, too.
            fields = {"num_labels": count, **({"problem_type": problem} if problem else {})}
            cases += [{"fields": fields, "logits": row, "scores": pipeline(fields, row)} for row in rows]
    for activation in [IDENTITY, SIGMOID]:
        for said in [{"sentence_transformers": {"activation_fn": activation}}, {"sbert_ce_default_activation_function": activation}]:
            fields = {"num_labels": 1, **said}
            cases += [{"fields": fields, "logits": row, "scores": cross_encoder(dict(fields), row)} for row in LOGITS[1]]
    return cases


def long_text():
    folder = CONFORMANCE / "t5"
    model = AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32).eval()
    # Without `n_positions` 512 are taken.
    source = [(7 * place) % 120 + 5 for place in range(560)]
    target = [0, 9, 17, 4]
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([source]), decoder_input_ids=torch.tensor([target])).logits[0]
    return {"source": source, "target": target, "last": logits[-1].tolist()}


print(json.dumps({"scores": scores(), "long": long_text()}))
