"""Write reference.json: the tokens that seeds draw, by the definition at the top of src/text/noise.rs and sampler.rs, in
floating point: from logits made here, and from those of tests/conformance's models in transformers.

    python3 make.py      (with torch and transformers)
"""
import json, math, pathlib
import torch, transformers as tf

here = pathlib.Path(__file__).parent
families = here.parent.parent / "conformance"
WORD = 0xFFFFFFFF


def mix(state, word):
    total = ((state ^ word) * 747796405 + 2891336453) & WORD
    mixed = (((total >> ((total >> 28) + 4)) ^ total) * 277803737) & WORD
    return (mixed >> 22) ^ mixed


def noise(seed, position, token):
    low, high = seed & WORD, seed >> 32
    first = mix(mix(low, high), position)
    second = mix(mix(high ^ 0x9E3779B9, low), position)
    w = (mix(second, mix(first, token)) + 0.5) / 2**32
    return -math.log(-math.log1p(-w))


def draw(logits, position, seed, temperature, topK=0, topP=1.0, minP=0.0):
    best = max(logits)
    ordered = sorted(logits, reverse=True)
    kept = ordered[:topK] if topK else ordered
    if topP < 1:
        total = sum(math.exp(x - best) for x in kept)
        mass, least = 0, kept[-1]
        for x in kept:
            mass += math.exp(x - best)
            if mass >= topP * total:
                least = x
                break
    else:
        least = kept[-1]
    if minP:
        least = max(least, best + math.log(minP))
    scores = [((x - best) / temperature + noise(seed, position, token), -token)
              for token, x in enumerate(logits) if x >= least]
    (top, token), (second, _) = sorted(scores, reverse=True)[:2] if len(scores) > 1 else (scores[0], (-math.inf, 0))
    # Nearer than what a device computes differently.
    assert top - second > 3e-5, (seed, position)
    return -token


OPTIONS = [
    dict(seed=1, temperature=1), dict(seed=2, temperature=1), dict(seed=2**53 - 1, temperature=0.7),
    dict(seed=2**32, temperature=1), dict(seed=3, temperature=2.5), dict(seed=4, temperature=1, topK=7),
    dict(seed=5, temperature=1.3, topP=0.85), dict(seed=6, temperature=2, minP=0.2),
    dict(seed=7, temperature=1, topK=20, topP=0.9, minP=0.05), dict(seed=0, temperature=0.05),
]
sampler = []
for vocabulary in (6, 1000, 40000):
    logits = [token * 37 % 101 * 0.0625 for token in range(vocabulary)]
    for options in OPTIONS:
        position, tokens = 3, []
        while len(tokens) < 8:
            tokens.append(draw(logits, position, **options))
            position += 1
        sampler.append(dict(vocabulary=vocabulary, options=options, tokens=tokens))

models = []
for family in ("llama", "gpt2"):
    model = tf.AutoModelForCausalLM.from_pretrained(families / family).eval()
    prompt = [(7 * i + 3) % 131 for i in range(11)]
    for options in OPTIONS[:9]:
        tokens = []
        while len(tokens) < 12:
            with torch.no_grad():
                logits = model(torch.tensor([prompt + tokens])).logits[0, -1].double().tolist()
            tokens.append(draw(logits, len(prompt) + len(tokens), **options))
        models.append(dict(family=family, prompt=prompt, options=options, tokens=tokens))
(here / "reference.json").write_text(json.dumps(dict(transformers=tf.__version__, sampler=sampler, models=models)) + "\n")
print(sampler[10], models[0])
