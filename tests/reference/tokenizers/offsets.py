"""What each token covers of the texts of make.py, as Python's `tokenizers` says.

    python3 -m venv v && v/bin/pip install tokenizers==0.23.3
    v/bin/python offsets.py

Reads the tokenizers out of FAMILY.json beside this script, and writes offsets.json: by family, for each case of one text
that is not cut, the beginnings and ends of its tokens in characters, in turn, without what the post-processor puts in.
"gpt2" is there with each other way to treat the spaces at tokens' ends, too.
"""
import json, pathlib
from tokenizers import Tokenizer

HERE = pathlib.Path(__file__).parent
# With spaces at tokens' ends taken out of what they cover, and the first one's left where it may have been put in.
TRIMMED = [dict(type="ByteLevel", trim_offsets=True, add_prefix_space=prefix, use_regex=True) for prefix in (False, True)]


def offsets(tokenizer, cases):
    found = {}
    for case in cases:
        if len(case["texts"]) > 1 or "most" in case:
            continue
        text = tokenizer.encode(case["texts"][0])
        inside = [span for span, special in zip(text.offsets, text.special_tokens_mask) if not special]
        found[case["texts"][0]] = [end for span in inside for end in span]
    return found


if __name__ == "__main__":
    families = {}
    for path in sorted(HERE.glob("*.json")):
        file = json.loads(path.read_text())
        if "tokenizer" not in file:
            continue
        families[path.stem] = offsets(Tokenizer.from_str(json.dumps(file["tokenizer"])), file["cases"])
        if path.stem == "gpt2":
            for post in TRIMMED:
                other = {**file["tokenizer"], "post_processor": post}
                name = f"{path.stem}, trimmed" + (", prefix" if post["add_prefix_space"] else "")
                families[name] = offsets(Tokenizer.from_str(json.dumps(other)), file["cases"])
    (HERE / "offsets.json").write_text(json.dumps(families, ensure_ascii=False, separators=(",", ":")) + "\n")
