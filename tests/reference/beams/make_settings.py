"""Write settings.json: what transformers makes of tests/conformance's encoder-decoders by a generation_config.json.

    python3 make_settings.py      (with torch and transformers)
"""
import json, pathlib
import torch, transformers as tf

torch.set_num_threads(1)
here = pathlib.Path(__file__).parent
families = here.parent.parent / "conformance"


def settings(said, end, source):
    """`said`: what comes without any of them."""
    for beams in (1, 3):
        base = dict(num_beams=beams, max_new_tokens=12)
        yield base
        for more in (
            dict(repetition_penalty=1.7),
            dict(repetition_penalty=0.6),
            dict(no_repeat_ngram_size=1),
            dict(no_repeat_ngram_size=2),
            dict(encoder_no_repeat_ngram_size=1),
            dict(encoder_no_repeat_ngram_size=2),
            dict(bad_words_ids=[[said[0]]]),
            dict(bad_words_ids=[said[0:2], [said[-2]], [end]]),
            dict(min_length=9),
            dict(min_new_tokens=7),
            dict(forced_bos_token_id=9),
            dict(forced_eos_token_id=end),
            dict(forced_bos_token_id=9, forced_eos_token_id=end, min_new_tokens=3, repetition_penalty=1.2),
            dict(suppress_tokens=[said[0], said[1]]),
            dict(begin_suppress_tokens=[said[0]]),
            dict(forced_bos_token_id=9, begin_suppress_tokens=[said[0], said[1], end], min_length=6),
            dict(eos_token_id=[end, said[2], said[1]]),
            dict(max_length=7, max_new_tokens=None),
        ):
            yield base | more
    for more in (
        dict(length_penalty=2.0), dict(length_penalty=0.0), dict(length_penalty=-1.5),
        dict(early_stopping=True), dict(early_stopping="never"), dict(early_stopping="never", length_penalty=2.5),
        dict(early_stopping=True, length_penalty=2.0, max_length=14, min_length=6, no_repeat_ngram_size=3,
             max_new_tokens=None, forced_bos_token_id=9, forced_eos_token_id=end),
        dict(renormalize_logits=True, no_repeat_ngram_size=1), dict(renormalize_logits=True, repetition_penalty=1.5),
    ):
        yield dict(num_beams=4, max_new_tokens=12) | more


cases = []
for family, cls in [("t5", tf.T5ForConditionalGeneration), ("bart", tf.BartForConditionalGeneration), ("marian", tf.MarianMTModel)]:
    model = cls.from_pretrained(families / family).eval()
    start = model.config.decoder_start_token_id
    gen = torch.Generator().manual_seed(11)

    def generate(source, **fields):
        fields = {"pad_token_id": 0, "decoder_start_token_id": start} | {k: v for k, v in fields.items() if v is not None}
        model.generation_config = tf.GenerationConfig(**fields)
        with torch.no_grad():
            return fields, model.generate(source)[0, 1:].tolist()

    for _ in range(2):
        source = torch.randint(3, model.config.vocab_size, (1, 12), generator=gen)
        # Random weights seldom choose their end token: one that they do choose takes its place.
        _, said = generate(source, num_beams=1, max_new_tokens=12, eos_token_id=model.config.vocab_size - 1, no_repeat_ngram_size=1)
        end = said[4]
        for setting in settings(said, end, source[0].tolist()):
            fields, tokens = generate(source, **({"eos_token_id": end} | setting))
            first = fields.get("forced_bos_token_id")
            assert first is None or tokens[0] == first
            cases.append(dict(family=family, generation=fields, source=source[0].tolist(), tokens=tokens[first is not None:]))
(here / "settings.json").write_text(json.dumps(dict(transformers=tf.__version__, cases=cases)) + "\n")
print(len(cases), [len(c["tokens"]) for c in cases])
