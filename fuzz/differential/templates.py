"""Chat templates: ours, and jinja2 as transformers sets it up.

    cargo build --example answer
    v/bin/python fuzz/differential/templates.py --seconds 1200 --seed 1    (transformers 5, jinja2 3.1.6)

Templates are made of a grammar whose leaves are the pieces of tests/reference/templates/make.py.
"""
import copy
import importlib.util
import json
import re

from jinja2 import TemplateAssertionError

from loop import REFUSED, ROOT, Ours, asked, run

spec = importlib.util.spec_from_file_location("pieces", ROOT / "tests/reference/templates/make.py")
pieces = importlib.util.module_from_spec(spec)
spec.loader.exec_module(pieces)
compile_template = pieces.chat_template_utils._compile_jinja_template
ours = Ours()

# What no other can say: an object's place in memory, chance.
ITS_OWN = re.compile(r"(?i) [ab]t 0x|built-in|generator|random|<bound|<class|\brandom\b")
TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}
VARIABLES = {name: value for name, value in pieces.VARIABLES.items() if name not in ("messages", "tools", "add_generation_prompt", "bos_token")}
# What we are asked, and what the reference is given: the same conversations in the shape of each.
CHATS = [
    [{"role": "user", "content": "Hi <b>you</b> & \"me\"\nsecond line"}],
    [{"role": "system", "content": " Be brief.\n"}, {"role": "user", "content": "é 日本 \u2028 ß"}, {"role": "assistant", "content": "<think>\na\n</think>\n\nb "}, {"role": "user", "content": ""}],
    [{"role": "user", "content": "a"}, {"role": "assistant", "content": "", "tool_calls": [{"id": "a1", "type": "function", "function": {"name": "add", "arguments": {"x": 1, "y": [2.5, None, True]}}}]},
     {"role": "tool", "content": "3.5", "tool_call_id": "a1", "name": "add"}],
    [{"role": "user", "content": "x" * 40}, {"role": "assistant", "content": "No.", "thinking": "hm", "reasoning_content": "hm"}, {"role": "user", "content": "%s {0} {{ x }} {% y %}"}],
]


def to_us(message):
    told = {key: value for key, value in message.items() if key in ("role", "content", "name")}
    if "thinking" in message:
        told["reasoning"] = message["thinking"]
    if "tool_call_id" in message:
        told["toolCallId"] = message["tool_call_id"]
    if "tool_calls" in message:
        told["toolCalls"] = [{"id": call["id"], **call["function"]} for call in message["tool_calls"]]
    return told


def pick(chance, list_):
    return list_[chance.randrange(len(list_))]


NAMES = ["x", "y", "m", "ns.a", "loop.index", "loop.last", "loop.previtem", "messages", "m.role", "m['content']", "messages[0]", "messages[-1].content", "bos_token", "eos_token", "tools", "tools[0].function.name",
         "add_generation_prompt", "messages[1:]", "m.tool_calls", "loop.length", "loop", "f", "caller", "self", "none", "true"]
SIGNS = ["+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or"]
MORE_FILTERS = ["map(attribute='role')|list", "selectattr('role', 'equalto', 'user')|list", "rejectattr('content')|list", "groupby('role')|list", "join('|', attribute='role')", "trim('x')", "replace('', '-')", "indent(2, true)", "tojson(ensure_ascii=true)",
                "tojson(separators=(',', ':'))", "dictsort(by='value')", "sort(attribute='role')", "sum(attribute='age')", "format('a', 1)", "truncate(9, true, '…')", "wordwrap(5)", "striptags", "filesizeformat", "xmlattr", "items", "d('e')", "attr('role')"]


def expression(chance, depth):
    kind = chance.randrange(15) if depth > 0 else chance.randrange(4)
    inner = lambda: expression(chance, depth - 1)  # noqa: E731
    if kind < 2:
        return pick(chance, pieces.VALUES)
    if kind < 4:
        return pick(chance, NAMES)
    if kind < 7:
        return f"({inner()})|{pick(chance, pieces.FILTERS + MORE_FILTERS)}"
    if kind == 7:
        return f"({inner()}) is {pick(chance, pieces.TESTS)}"
    if kind == 8:
        return f"({inner()}).{pick(chance, pieces.TEXT_METHODS)}"
    if kind < 11:
        left, right = inner(), inner()
        if chance.random() < 0.7:
            left, right = f"({left})", f"({right})"
        return f"{left} {pick(chance, SIGNS)} {right}"
    if kind == 11:
        return f"({inner()})[{pick(chance, ['0', '-1', '1:', '::-1', ':2', '::2', inner(), 'loop.index0', chr(39) + 'role' + chr(39)])}]"
    if kind == 12:
        return f"{inner()} if {inner()} else {inner()}"
    if kind == 13:
        return pick(chance, ["[{}, {}]", "({}, {})", "{{'a': {}, 'b': {}}}", "namespace(a={}, b={})", "dict(a={}, b={})", "range({}, {})", "'%s|%s' % ({}, {})", "'{{}}{{:>4}}'.format({}, {})", "f({}, {})", "[{}] + [{}]"]).format(inner(), inner())
    return pick(chance, ["not {}", "-{}", "({})", "{}|length", "{}.items()|list", "{}.get('role')", "{}|tojson", "{} is not none", "+{}"]).format(inner())


def mark(chance, text, ends=("%", "%")):
    left, right = pick(chance, ["", "", "-", "+"]), pick(chance, ["", "", "-", "+"] if ends[0] == "%" else ["", "", "-"])
    return "{" + ends[0] + left + " " + text + " " + right + ends[1] + "}"


def statements(chance, depth):
    return "".join(statement(chance, depth) for _ in range(chance.randrange(1, 4)))


def statement(chance, depth):
    kind = chance.randrange(16) if depth > 0 else chance.randrange(7)
    say, inside = lambda: expression(chance, 2), lambda: statements(chance, depth - 1)  # noqa: E731
    if kind < 3:
        return mark(chance, say(), ("{", "}")) if chance.random() < 0.95 else "{# " + pick(chance, pieces.VALUES) + " #}"
    if kind < 6:
        return pick(chance, [" ", "\n", "\n\n", "  \n", "text", "<|im_start|>", "\t", "a\n  b", "é", "\r\n", "{", "}", "%", "#", "'", "\\n"])
    if kind == 6:
        return mark(chance, pick(chance, ["set x = {}", "set y = {}", "set ns = namespace(a={})", "set ns.a = {}", "set x, y = {}", "set m = {}", "set messages = {}"]).format(say()))
    if kind < 9:
        middle = mark(chance, "elif " + say()) + inside() if chance.random() < 0.3 else ""
        middle += mark(chance, "else") + inside() if chance.random() < 0.5 else ""
        return mark(chance, "if " + say()) + inside() + middle + mark(chance, "endif")
    if kind < 12:
        over = pick(chance, ["messages", "range(3)", "tools", "[1, 2, 3]", "'abc'", "words", "people", say(), "m.items()"])
        head = pick(chance, ["for m in {}", "for x in {}", "for x, y in {}", "for m in {} if m.role", "for x in {} recursive", "for m in {} if loop is defined", "for y in {} if y"]).format(over)
        last = mark(chance, "else") + inside() if chance.random() < 0.2 else ""
        stop = mark(chance, f"if {say()}") + mark(chance, pick(chance, ["break", "continue"])) + mark(chance, "endif") if chance.random() < 0.2 else ""
        return mark(chance, head) + inside() + stop + inside() + last + mark(chance, "endfor")
    if kind == 12:
        return mark(chance, pick(chance, ["macro f(x, y=1)", "macro f()", "macro f(x)", "macro f(x=none, y=x)"])) + inside() + mark(chance, "endmacro")
    if kind == 13:
        head, end = pick(chance, [("set x", "endset"), ("set x | upper", "endset"), ("filter trim", "endfilter"), ("filter upper | replace('A', 'b')", "endfilter"), ("with x = 1, y = x", "endwith"), ("generation", "endgeneration"), ("block b", "endblock"), ("call f()", "endcall"), ("call(x) f(1)", "endcall")])
        return mark(chance, head) + inside() + mark(chance, end)
    if kind == 14:
        return mark(chance, "raw") + pick(chance, ["{{ x }}", " {% if %} ", "\n", "{# "]) + mark(chance, "endraw")
    return pick(chance, pieces.LITERALS)


def make(chance):
    source = statements(chance, 3)
    if chance.random() < 0.1:
        at = chance.randrange(len(source) + 1)
        source = source[:at] + pick(chance, ["{", "}", "%", "'", "-", "(", "|", ".", " ", "\n", "[", "#", "~", "\""]) + source[at + chance.randrange(2):]
    return source, chance.randrange(len(CHATS))


def reference(source, chat):
    variables = {name: value for name, value in VARIABLES.items() if re.search(rf"\b{name}\b", source)}
    messages = CHATS[chat]
    tools = pieces.VARIABLES["tools"] if "tools" in source else None
    text = compile_template(source).render(messages=copy.deepcopy(messages), tools=copy.deepcopy(tools), documents=None, add_generation_prompt=chat != 2, **TOKENS, **copy.deepcopy(variables))
    # Some cannot be written at all.
    text.encode()
    return text


def question(source, chat):
    variables = {name: value for name, value in VARIABLES.items() if re.search(rf"\b{name}\b", source)}
    told = {"messages": [to_us(message) for message in CHATS[chat]], "addGenerationPrompt": chat != 2, "templateOptions": variables}
    if "tools" in source:
        told["tools"] = [tool["function"] for tool in pieces.VARIABLES["tools"]]
    seconds = int(pieces.NOW)
    return {"template": source, "tokens": list(TOKENS.items()), "chat": json.dumps(told, ensure_ascii=False), "now": [seconds, 1234]}


def unknown(source):
    """Whether it has a filter or a test that there is not. There they are looked for before the program runs."""
    try:
        compile_template(source)
    except TemplateAssertionError:
        return True


def differs(case):
    mine, theirs = ours(question(*case)), asked(reference, *case)
    if mine is REFUSED:
        return "refused by both" if theirs is REFUSED else "refused by us"
    if theirs is REFUSED:
        return "refused there" if asked(unknown, case[0]) is True else "taken by us alone"
    if ITS_OWN.search(theirs + case[0]):
        return "its own"
    return "same" if mine == theirs else "another text"


PIECES = re.compile(r"\{[%{#].*?[%}#]\}|\w+|\s+|.", re.S)


def parts(case):
    source, chat = case
    tokens = PIECES.findall(source)
    for size in (len(tokens) // 2, len(tokens) // 4, 8, 4, 3, 2, 1):
        for at in range(0, len(tokens) - size + 1, max(1, size // 2)) if size else ():
            yield "".join(tokens[:at] + tokens[at + size:]), chat
    for at, token in enumerate(tokens):
        inner = re.findall(r"\w+|\s+|.", token, re.S) if len(token) > 4 and token[0] == "{" else []
        for size in (8, 4, 2, 1):
            for start in range(2, len(inner) - 1 - size):
                yield "".join(tokens[:at] + inner[:start] + inner[start + size:] + tokens[at + 1:]), chat


def show(case):
    expected = asked(reference, *case)
    return json.dumps({**question(*case), "expected": None if expected is REFUSED else expected}, ensure_ascii=False)


if __name__ == "__main__":
    run(make, differs, parts, show)
