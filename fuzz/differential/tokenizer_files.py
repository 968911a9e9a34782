"""`tokenizer.json`: ours, and Python's tokenizers.

    cargo build --example answer
    v/bin/python fuzz/differential/tokenizer_files.py --seconds 1200 --seed 1    (tokenizers 0.23.3)

Files are put together of the parts of those in corpus/tokenizer and dictionaries/tokenizer.json, and changed here and there.
"""
import copy
import json

from tokenizers import Tokenizer

from loop import REFUSED, ROOT, Ours, asked, run

ours = Ours()
VALUES = json.loads((ROOT / "fuzz/dictionaries/tokenizer.json").read_text())["values"]
CORPUS = [json.loads(path.read_text())["tokenizer"] for path in sorted((ROOT / "fuzz/corpus/tokenizer").glob("[a-z]*")) if len(path.name) < 40]
TEXTS = [value for value in VALUES if isinstance(value, str)]
PARTS = ["normalizer", "pre_tokenizer", "post_processor", "decoder", "added_tokens", "model"]
KINDS = {part: [file.get(part) for file in CORPUS] for part in PARTS}
WHOLE = [value for value in VALUES if isinstance(value, dict) and "type" in value]
KINDS["normalizer"] += [value for value in WHOLE if "Normalizer" in value["type"] or value["type"] in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt", "ByteLevel", "Strip", "Prepend", "Replace") or "normalizers" in value]
KINDS["pre_tokenizer"] += [value for value in WHOLE if "pretokenizers" in value or value["type"] in ("Whitespace", "WhitespaceSplit", "BertPreTokenizer", "Punctuation", "Digits", "UnicodeScripts", "Metaspace", "ByteLevel", "FixedLength", "CharDelimiterSplit", "Split")]
KINDS["decoder"] += [value for value in WHOLE if "decoders" in value or value["type"] in ("ByteLevel", "WordPiece", "Metaspace", "ByteFallback", "Fuse", "BPEDecoder", "CTC")]
KINDS["model"] += [value for value in WHOLE if "vocab" in value]
CHARACTERS = "aabbeehhilnostw  TA.,'12\n\t\u0301é\u00a0▁Ġ東は한ß½ﬁ\u200d👩👍🏽ا\u0f0bΣ<>/[]"
SPECIAL = ["<s>", "</s>", "<unk>", "<mask>", "[MASK]", "<extra>", "<|endoftext|>", "the", "▁", "<0x41>", " <mask> ", "\r\n", "..."]


def pick(chance, list_):
    return copy.deepcopy(list_[chance.randrange(len(list_))])


def sequence(chance, part, key):
    some = [pick(chance, KINDS[part]) for _ in range(chance.randrange(1, 4))]
    flat = [inner for value in some if value for inner in (value[key] if isinstance(value.get(key), list) else [value])]
    return {"type": "Sequence", key: flat}


def touched(value, chance):
    """The same with a flag turned or a field gone, somewhere."""
    places = []

    def walk(inner):
        for key, each in list(inner.items()) if isinstance(inner, dict) else list(enumerate(inner))[:3]:
            places.append((inner, key))
            if isinstance(each, (dict, list)) and key not in ("vocab", "merges"):
                walk(each)

    walk(value)
    inner, key = places[chance.randrange(len(places))]
    each = inner[key]
    if isinstance(each, bool):
        inner[key] = not each
    elif isinstance(each, str) and key not in ("type", "id"):
        inner[key] = each[:1] if chance.random() < 0.5 else each + pick(chance, ["e", " ", "▁", "\u0301", "+", "?", "|a"])
    elif isinstance(inner, dict) and key not in ("type", "vocab", "model"):
        del inner[key]


def text(chance):
    kind = chance.randrange(3)
    if kind == 0:
        return pick(chance, TEXTS)
    words = "".join(pick(chance, CHARACTERS) if chance.random() < 0.85 else pick(chance, SPECIAL) for _ in range(chance.randrange(24)))
    return words if kind == 1 else words + pick(chance, TEXTS)


def make(chance):
    file = pick(chance, CORPUS)
    for part, key in [("normalizer", "normalizers"), ("pre_tokenizer", "pretokenizers"), ("decoder", "decoders")]:
        kind = chance.randrange(4)
        if kind == 0:
            file[part] = pick(chance, KINDS[part])
        elif kind == 1:
            file[part] = sequence(chance, part, key)
    if chance.random() < 0.2:
        file["model"] = pick(chance, KINDS["model"])
    if chance.random() < 0.3:
        model = file["model"]["vocab"]
        content, number = pick(chance, SPECIAL), chance.randrange(len(model) + 3)
        file["added_tokens"].append({"id": number, "content": content, **{flag: chance.random() < 0.3 for flag in ("single_word", "lstrip", "rstrip", "normalized", "special")}})
    for _ in range(chance.randrange(3)):
        touched(file, chance)
    return json.dumps(file), [text(chance) for _ in range(4)]


def reference(tokenizer, texts):
    made = Tokenizer.from_str(tokenizer)
    made.no_truncation()
    made.no_padding()
    answers = []
    for each in texts:
        ids = asked(lambda: made.encode(each, add_special_tokens=False).ids)
        whole = asked(lambda: made.encode(each).ids)
        decoded = REFUSED if ids is REFUSED else asked(lambda: made.decode(ids, skip_special_tokens=False))
        answers.append((ids, whole, decoded))
    return answers


def differs(case):
    mine = ours({"tokenizer": case[0], "config": None, "texts": case[1]})
    if mine is REFUSED:
        return "refused by us"
    theirs = asked(reference, *case)
    if theirs is REFUSED:
        return "refused there"
    for answer, (ids, whole, decoded) in zip(mine, theirs):
        if not answer:
            continue
        if ids is not REFUSED and answer[0] != ids:
            return "other ids"
        if whole is not REFUSED and answer[1] != whole:
            return "other special ids"
        # Of bytes that are no characters theirs tells fewer or more.
        if decoded is not REFUSED and answer[2] is not None and "\ufffd" not in decoded + answer[2] and answer[2] != decoded:
            return "another text"
    return "same"


def parts(case):
    tokenizer, texts = case
    if len(texts) > 1:
        for each in texts:
            yield tokenizer, [each]
    else:
        for size in (16, 8, 4, 2, 1):
            for at in range(len(texts[0])):
                yield tokenizer, [texts[0][:at] + texts[0][at + size:]]
    for less in smaller_json(json.loads(tokenizer)):
        yield json.dumps(less), texts


def smaller_json(value):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield {name: each for name, each in value.items() if name != key}
            for less in smaller_json(inner):
                yield {**value, key: less}
    elif isinstance(value, list):
        for size in (32, 8, 1):
            for at in range(0, len(value), size):
                if len(value) >= size:
                    yield value[:at] + value[at + size:]
        for at, inner in enumerate(value):
            for less in smaller_json(inner):
                yield value[:at] + [less] + value[at + 1:]


def show(case):
    theirs = asked(reference, *case)
    expected = [[None if each is REFUSED else each for each in answer] for answer in theirs]
    return json.dumps({"tokenizer": json.loads(case[0]), "texts": case[1], "expected": expected}, ensure_ascii=False)


if __name__ == "__main__":
    run(make, differs, parts, show)
