"""What Oniguruma, by Python's `tokenizers`, makes of patterns: those found on the hub, and every piece of syntax.

    python3 -m venv v && v/bin/pip install tokenizers==0.23.3
    v/bin/python make.py

Reads hub.json (the `Split` patterns that huggingface/tokenizers.js collected from published tokenizer.json files,
Apache-2.0), and writes patterns.json: of each pattern and each text the lengths of the pieces in characters, negative
where the pattern does not match, or the error; and classes.json: the characters below U+3000 that classes have, as
pairs of first and last.
"""
import json, pathlib
from tokenizers import Regex, pre_tokenizers as P

HERE = pathlib.Path(__file__).parent
TEXTS = [
    "Hello, world! 123 can't stop.  WE'RE here, I'LL go\n", "hello שלום café नमस्ते مرحبا_١٢٣ abc १२३ ４２ ٣", "中文かなカナ 한국어 ไทย Lao ລາວ မြန်မာ",
    "https://example.com/path?x=1 @usuario CC(=O)O ClCBr [NH4+]", "  leading\nline\n\n\tword  \r\n\r\n x   ", "{[(<\"'‘’“”„‟＂»«‹›—–―…。<tag>text</tag>==!!``",
    "1234567 12 3,456.789 ①Ⅻ²¼ cup½", "naïve CamelCase XMLHttpRequest e\u0301 👍🏽👩\u200d👧 ﬁ ſS Kk ßẞ", "a\u00a0b\u2028c\u3000d\x85e\x0bf\x00g", "", " ", "\n", "aab abab abcabc",
    "\U000100000\U00020000x\U00010FFFFy\U0002A6D7z\ue000\u2029\ufeff1",
]
SYNTAX = [
    # possessive repetitions and what only looks like them
    r"[^\r\n\p{L}\p{N}]?+\p{L}+", r"\p{L}++\p{N}", r"a*+a", r"a++b", r"\p{N}{1,3}+", r"\p{N}{2}+", r"a?+ab", r"(?:a|ab)?+c", r"(?:ab)++c", r"(?:a|ab)++c", r"a+++b", r"a{,2}b", r"a{2}?b", r"\w{2,3}?", r"\p{N}{2,}?", r"a{2}{2}", r"a{x}", r"a{", r"a{2,1}",
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    # lines and ends
    r"^", r"$", r"^ ", r"\s+$", r"^\w", r"\w$", r"\A\w", r".\z", r".\Z", r"\Z", r"\G\w", r"\Ga", r"^\s+|\s+$", r"(?m).+", r".+", r"(?m)^.", r"\R", r"\N+", r"\O", r"$\n", r"(?<!\n)^", r"(?<=\n)$", r"^$", r"\n^",
    # look-around
    r"\s+(?!\S)|\s+", r"\s+(?!\S)|\s", r"\s+(?=\S)", r"(?=[A-Z])", r"(?<=[a-z])(?=[A-Z])", r"(?<=\d)(?=(?:\d{3})+\b)", r"\d{1,3}(?=(?:\d{3})*\b)", r"\p{Nd}{1,510}(?=x|\b)", r"(?!\h?\p{N})\h?", r"(?<![\w])\w", r"(?<=ab*)c", r"(?<=a|bc)b", r"(?<!a|b)b", r"(?<=\ba)b", r"(?=http)[^\s]+", r"\w+(?!,)", r"(?:\r?\n)+(?!\r?\n)", r"(?<=^a)a", r"(?<=(a))b", r"(?>a+)b", r"(?>a|ab)c", r"(?=(a+))a*b", r"(?!(a)b)\w", r"(?=\w)*a", r"(?<=a)+b", r"\b", r"\B", r"\b\w", r"\w+\b",
    # references
    r"(\w)\1", r"([!\"#'=`])\1*", r"(a)(b)\2", r"(a|b)\1", r"(?:(a)|b)\1", r"((a)|b)+\2", r"(?:(?>(a))c|a)\1?", r"\1(a)", r"(a\1)", r"(?<n>a)b", r"(?<n>a)(b)\1", r"(?<n>a)\k<n>", r"\9", r"(?:a(?=(b))|b)\1",
    # classes
    r"\w+", r"[\w]+", r"\W", r"[^\w]", r"[\W]", r"\d+", r"\h+", r"\H+", r"\s", r"\S+", r"\p{Alpha}+", r"\p{^L}", r"\P{^L}", r"\p{Word}+", r"[\p{Word}]+", r"\p{Punct}+", r"[[:punct:]]+", r"[\p{Punct}]+", r"[[:alpha:]]+", r"[[:^alpha:]]+", r"[[:digit:]]+", r"[[:space:]]+", r"[[:upper:]]+", r"[[:word:]]+", r"[[:graph:]]+", r"[[:print:]]+", r"[[:foo:]]", r"[[:xdigit:]]+", r"\p{Han}+", r"\p{Latin}+", r"\p{Lx}", r"\pL", r"\p{Script=Han}",
    r"[a-c&&b-d]", r"[a-z&&[^aeiou]]+", r"[^a&&b]", r"[a&&]", r"[]a]", r"[^]a]", r"[]", r"[[a]b]", r"[ab[^c]]", r"[a-c-e]+", r"[\w.-]+", r"[\d-a]", r"[a-\d]", r"[+--]", r"[--/]", r"[z-a]", r"[\b]", r"[\x41-\x43]", r"[\u0041-\u0043]", r"[.$^|?*+(){}]", r"[\]\[\\\-]", r"[!-/:-@\[-`{-~]", "[一-龥぀-ゟ]+", r"[ \t]+", r"[&]", r"[a", r"[^^]",
    # case
    r"(?i)hello|WORLD", r"(?i)\p{Lu}+", r"(?i)[\p{Lu}]+", r"(?i)[^\p{Lu}]+", r"(?i)\P{Lu}+", r"(?i)[[a]]", r"(?i)[^[^a]]", r"(?i)[^a]+", r"x(?i)a|b", r"a(?i)b|c", r"(?i)k", r"(?i:s)", r"(?i)[a-z]+", r"(?i)(?-i)a", r"(?i)ss", r"(?i)ß", r"(?i)fi", r"(?i)st", r"(?i)[ß]", r"(?i)(a)\1", r"(?i)ſ", r"(?i)tt", r"(?i-m:a)", r"(?x) a b # c", r"(?x: [ ] \ )", r"(?s).", r"(?u)a", r"(?W)\w", r"(?^)a",
    # characters
    r"\t|\n|\r|\f|\v|\a|\e", r"\x{41}|\x4c", r"\u00e9", r"\u{41}", r"\xe9", r"\101", r"\0", r"\cA", r"\-\/\"\#", r"\Q.\E", r"\i", r"\X", r"a\Kb", r"\y", r"(?~ab)", r"(?(1)a|b)", r"\g<0>", r"(?#c)a", "é", "👍", r"\é", "]", "}", "{", r"\ ",
    # what is odd
    "", "|", "a||b", "x*", "(?:)", "(?:a*)*b", "(?:a|)*b", "(a*)+b", "(?:a?)*?b", "(?:a*?)*b", "(", ")", "a)", "*a", "a**", "a?*", "a??b", "a*?b", "a+?", "(?:^)*a", "^*a", r"\b+a", "(?:a|b|)+", "(?:|a)+", "(?:a??)+b", "(?:(?=a)|b)+",
]
CLASSES = [r"\w", r"[\w]", r"\W", r"\d", r"\s", r"\h"] + [f"[[:{name}:]]" for name in "alnum alpha blank cntrl digit graph lower print punct space upper xdigit word".split()] + [r"\p{punct}", r"\p{word}", "(?i)[a-z]", r"(?i)[\p{Lu}]"]


def pieces(pattern, text):
    made = {how: P.Split(Regex(pattern), how).pre_tokenize_str(text) for how in ("isolated", "removed")}
    left = {span for _, span in made["removed"]}
    return [-(end - start) if (start, end) in left else end - start for _, (start, end) in made["isolated"]]


def row(pattern):
    try:
        return {"pattern": pattern, "pieces": [pieces(pattern, text) for text in TEXTS]}
    except Exception as error:
        return {"pattern": pattern, "error": str(error)}


def members(pattern):
    split, ranges = P.Split(Regex(pattern), "removed", invert=True), []
    for code in sorted(ord(c) for piece, _ in split.pre_tokenize_str("".join(map(chr, range(0x3000)))) for c in piece):
        if ranges and ranges[-1] == code - 1:
            ranges[-1] = code
        else:
            ranges += [code, code]
    return ranges


def write(name, value):
    (HERE / name).write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace('{"pattern', '\n{"pattern') + "\n")


if __name__ == "__main__":
    hub = json.loads((HERE / "hub.json").read_text())
    write("patterns.json", {"texts": TEXTS, "cases": [row(pattern) for pattern in list(dict.fromkeys(SYNTAX + hub))]})
    write("classes.json", {pattern: members(pattern) for pattern in CLASSES})
