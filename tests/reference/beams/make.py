"""Write reference.json: what transformers' beam search makes of tests/conformance's encoder-decoders.

    python3 make.py      (with torch and transformers)
"""
import json, pathlib
import torch, transformers as tf

here = pathlib.Path(__file__).parent
families = here.parent.parent / "conformance"
cases = []
for family, cls in [("t5", tf.T5ForConditionalGeneration), ("bart", tf.BartForConditionalGeneration), ("marian", tf.MarianMTModel)]:
    model = cls.from_pretrained(families / family).eval()
    gen = torch.Generator().manual_seed(7)
    for beams in (2, 4, 8):
        for _ in range(6):
            source = torch.randint(3, model.config.vocab_size, (1, 12), generator=gen)
            common = dict(do_sample=False, max_new_tokens=16, length_penalty=1.0, early_stopping=False, forced_eos_token_id=None)
            with torch.no_grad():
                # Random weights seldom choose their end token: one that they do choose takes its place.
                greedy = model.generate(source, num_beams=1, eos_token_id=model.config.vocab_size - 1, **common)[0, 1:].tolist()
                end = greedy[min(6, len(greedy) - 1)]
                out = model.generate(source, num_beams=beams, eos_token_id=end, **common)
            cases.append(dict(family=family, beams=beams, end=end, source=source[0].tolist(), tokens=out[0, 1:].tolist()))
(here / "reference.json").write_text(json.dumps(dict(transformers=tf.__version__, cases=cases)) + "\n")
print([len(c["tokens"]) for c in cases])
