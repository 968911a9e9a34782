"""What jinja2 with transformers' settings makes of many small templates, for tests/native/template_snippets.rs.

    python make.py    (transformers 5.24, jinja2 3.1.6)

Writes snippets.json: each template with its text, or null where the reference refuses it. Every snippet sees the same
variables, which the file has too. The clock stands still.
"""

import copy
import datetime
import json
import os
import pathlib
import re

os.environ["TZ"] = "UTC"
from transformers.utils import chat_template_utils  # noqa: E402

HERE = pathlib.Path(__file__).parent
NOW = 1_790_000_000.001234


class Frozen(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(NOW)


chat_template_utils.datetime = Frozen

VARIABLES = {
    "messages": [
        {"role": "system", "content": " Be brief.\n"},
        {"role": "user", "content": "Hi <b>you</b> & \"me\"\nsecond line"},
        {"role": "assistant", "content": "", "tool_calls": [
            {"type": "function", "id": "a1", "function": {"name": "add", "arguments": {"x": 1, "y": [2.5, None, True]}}}]},
        {"role": "tool", "content": "3.5", "name": "add", "tool_call_id": "a1"},
    ],
    "tools": [{"type": "function", "function": {
        "name": "add", "description": "Adds é 日本 \u2028.", "parameters": {
            "type": "object", "properties": {"x": {"type": "integer"}, "y": {"type": "array", "items": {"type": "number"}}},
            "required": ["x"]}}}],
    "add_generation_prompt": True,
    "bos_token": "<s>",
    "numbers": [3, 1, 2, -7, 10],
    "floats": [0.1, 1e-7, 1e16, 1e22, 1.5, 100.0, 123456789012345680.0, -0.0, 3.0e-5],
    "words": ["pear", "Apple", "fig", "apple", "Zoo", "élan"],
    "people": [{"name": "Bo", "age": 30, "city": {"name": "Rome"}}, {"name": "al", "age": 25, "city": {"name": "Oslo"}},
               {"name": "Cy", "age": 30, "city": {"name": "Bern"}}, {"name": "di"}],
    "nested": {"b": 1, "a": {"z": [1, {"q": None}], "k": "v"}, "C": True, "10": "ten"},
    "text": "The quick  brown\tfox,\njumps-over the (lazy) dog. Straße İstanbul ŒUVRE ǆ",
    "empty": "",
    "quote": "it's \"so\" \\ \x07 \x7f é \u200b",
    "nothing": None,
    "yes": True,
    "no": False,
    "pi": 3.14159,
    "big": 9007199254740993,
}


def snippets():
    yield from LITERALS
    for value in VALUES:
        for test in TESTS:
            yield "{{ (%s) is %s }}" % (value, test)
        for filter in FILTERS:
            yield "{{ (%s)|%s }}" % (value, filter)
        yield "{{ %s }}" % value
        yield "{%% for x in %s %%}[{{ x }}:{{ loop.index }}/{{ loop.length }}{{ loop.last }}]{%% else %%}none{%% endfor %%}" % value
    for method in TEXT_METHODS:
        for value in ["text", "words[0]", "'a,b,,c'", "' \\t x y \\n'", "empty", "'aXbXc'"]:
            yield "{{ %s.%s }}" % (value, method)
    for left in OPERANDS:
        for right in OPERANDS:
            for sign in ["+", "*", "/", "//", "%", "-", "==", "<", ">=", "in", "~", "and", "or"]:
                yield "{{ (%s) %s (%s) }}" % (left, sign, right)
    for letter in "aAbBcCdDeFgGhHIjklmMnpPrRsSTtuUVwWxXyYzZ%fQ":
        yield "{{ strftime_now('%%%s|%%-%s|%%_%s|%%0%s|%%^%s|%%#%s|%%5%s') }}" % ((letter,) * 7)
    for value in ["true", "none", "numbers", "nested", "missing", "7", "-2.5", "'ab'", "range(3)", "(1, 2)"]:
        for look in [":", ":4", ":<4", ":>6", ":^5", ":05", ":*^7", ":x", ":s", ":d", ":.1", ":.1f", ":+", ":,", ":%", ":=5", "!s:8", "!r:8"]:
            yield "{{ '[{%s}]'.format(%s) }}" % (look, value)
    # `pi` is given: where a scope sets it, it is not seen before, unless it was read.
    for scope in SCOPES:
        for reading in READINGS:
            for setting in SETTINGS:
                yield scope % (reading + setting + "|{{ pi }}")
                yield scope % (setting + "|" + reading)
    for body in ["x", "{% break %}", "{% continue %}", "{% if loop.first %}{% continue %}{% endif %}x", "{% if loop.last %}{% break %}{% endif %}x",
                 "{% if loop.first %}{% break %}{% endif %}x", "{% for b in [] %}{% else %}{{ a }}{% break %}{% endfor %}y", "{% filter upper %}x{% break %}{% endfilter %}",
                 "{% for b in [1] %}{% break %}{% else %}{% continue %}{% endfor %}y", "{% set s %}x{% continue %}{% endset %}y", "{% with w = a %}x{% break %}{% endwith %}"]:
        for items in ["[]", "[1]", "[1, 2]", "[1, 2, 3] if a > 1", "[1, 2] recursive"]:
            yield "{%% for a in %s %%}%s{%% else %%}else{%% endfor %%}" % (items, body)


SCOPES = ["%s", "{%% for q in [1, 2] %%}%s{%% endfor %%}", "{%% macro f() %%}%s{%% endmacro %%}{{ f() }}", "{%% with w = 2 %%}%s{%% endwith %%}",
          "{%% set pi = 9 %%}{%% for q in [1, 2] %%}%s{%% endfor %%}"]
READINGS = ["{{ pi }}", "{% set u %}{{ pi }}{% endset %}{{ u }}", "{% filter upper %}{{ pi }}{% endfilter %}", "{% filter default(pi) %}{% endfilter %}",
            "{% for z in [1] %}{{ pi }}{% endfor %}", "{% for z in [pi] if z == pi %}{{ z }}{% endfor %}", "{% for z in [] %}{% else %}{{ pi }}{% endfor %}",
            "{% if yes %}{{ pi }}{% endif %}", "{% macro g(a, b=pi) %}{{ pi }}{{ b }}{% endmacro %}{{ g() }}", "{% with v = 1 %}{{ pi }}{% endwith %}", "{% with v = pi %}{{ v }}{% endwith %}",
            "{% macro h() %}{{ caller() }}{% endmacro %}{% call h() %}{{ pi }}{% endcall %}", "{% generation %}{{ pi }}{% endgeneration %}",
            "{% for z in [1] %}{% if yes %}{% for y in [1] %}{{ pi }}{% endfor %}{% endif %}{% set pi = 4 %}{{ pi }}{% endfor %}", "{% block b %}{{ pi }}{% endblock %}"]
SETTINGS = ["{% set pi = 1 %}", "{% set pi = pi %}", "{% if yes %}{% set pi = 1 %}{% endif %}", "{% if no %}{% set pi = 1 %}{% endif %}", "{% if no %}{% set pi = 1 %}{% else %}{% set pi = 2 %}{% endif %}",
            "{% if no %}{% set pi = 1 %}{% elif yes %}{% set pi = 2 %}{% else %}{% set pi = 3 %}{% endif %}", "{% if no %}{{ pi }}{% else %}{% set pi = 3 %}{% endif %}",
            "{% macro pi() %}m{% endmacro %}", "{% set pi %}b{% endset %}", "{% for pi in [5] %}{{ pi }}{% endfor %}", "{% with pi = 6 %}{{ pi }}{% endwith %}", "{% set q, pi = 7, 8 %}"]
VALUES = ["none", "true", "0", "7", "-3", "2.5", "'abc'", "''", "[1, 2]", "[]", "(1, 'x')", "{'a': 1}", "{}", "missing",
          "range(3)", "messages", "nested.items()", "words", "nested", "numbers|map('string')", "nested.missing", "'12'", "' 4.5 '",
          "people", "1e3", "10 ** 2", "text", "quote"]
TESTS = ["defined", "undefined", "none", "boolean", "true", "false", "integer", "float", "number", "string", "mapping", "sequence",
         "iterable", "callable", "lower", "upper", "in [1, 'abc', none]", "not none", "eq(7)", "gt(1)", "odd", "even", "divisibleby 3",
         "escaped"]
FILTERS = ["length", "list", "string", "tojson", "upper", "trim", "first", "last", "join(', ')", "int", "float", "default('d')",
           "default('d', true)", "default('x', boolean=true)", "sort", "unique|list", "reverse|list", "sum", "min", "max", "items|list", "abs",
           "round", "capitalize", "title", "tojson(indent=2)", "replace('a', 'b')", "e", "wordcount", "batch(2)|list", "slice(2)|list",
           "map('upper')|list", "select|list", "reject('none')|list", "center(9)", "dictsort", "truncate(8)", "urlencode", "count",
           "lower", "pprint", "safe", "indent", "random is defined"]
OPERANDS = ["1", "2.5", "'a'", "[1]", "none", "missing", "true", "(1,)", "{'a': 1}", "-3", "0"]
TEXT_METHODS = [
    "upper()", "lower()", "title()", "capitalize()", "swapcase()", "casefold()", "strip()", "lstrip()", "rstrip()", "strip('ax')",
    "split()", "split(',')", "split(None, 1)", "split(maxsplit=1)", "rsplit()", "rsplit(None, 1)", "rsplit(',', 1)", "split(',', 1)",
    "split('')", "splitlines()", "splitlines(true)", "partition(',')", "rpartition(',')", "partition('!')", "rpartition('!')",
    "find('o')", "rfind('o')", "find('o', 20)", "find('o', -5, -1)", "index('a')", "rindex('a')", "count('a')", "count('', 1)",
    "startswith('a')", "startswith('a', 1)", "startswith(('x', 'a'))", "endswith('c')", "endswith('g', 0, 3)", "replace('a', 'b')",
    "replace('a', 'b', 1)", "replace('', '-')", "removeprefix('a')", "removesuffix('c')", "zfill(9)", "center(9)", "center(8, '*')",
    "ljust(9, '.')", "rjust(9, '.')", "expandtabs()", "expandtabs(4)", "isalpha()", "isalnum()", "isdigit()", "isdecimal()",
    "isnumeric()", "isspace()", "isupper()", "islower()", "istitle()", "isascii()", "isidentifier()", "isprintable()", "join(words)",
    "join([1])", "format()", "nothing()", "nothing is defined", "strip is callable", "startswith(1)", "split(1)", "encode()",
]
LITERALS = [
    # Whitespace, marks, comments, line ends.
    "a\n{% if true %}\n  b\n  {% endif %}\nc\n", "a\n", "a\n\n", "  {% if true %}x{% endif %}  \n y", "x  {%- if true -%}  y  {%- endif -%}  z",
    "a\r\nb\r\n{% if true %}\r\nc\r\n{% endif %}\r\nd\re", "{{ 'a\r\nb' }}", "{% if true +%}\nx{% endif %}", "  {%+ if true %}x{% endif %}",
    "a {# c #} b", "a\n  {# c #}\nb", "a {#- c -#} b", "{# {{ x }} {% if %} #}ok", "{#- c +#}\nx", "{% raw %}\n{{ x }}{% endraw %}\ny",
    "a {%- raw -%} \n {{ x }} {%- endraw -%} b", "{% raw %}{% generation %}{% endraw %}", "{{ '{% generation %}' }}", "{# {% generation %} #}",
    "{% generation %}a{% endgeneration %}b", "{%- generation -%} a {%- endgeneration -%} b", "{% set x = 1 %}{% generation %}{% set x = 2 %}{% endgeneration %}{{ x }}",
    "{{ '}}' }}{{ '%}' }}", "{{ {'a': {'b': 1}} }}", "{{ {'a':{'b':1}}['a']['b']}}", "{{1}}{{ 2 -}}  3", "{{- 1 }}", " {{ 1 }}\n{{ 2 }}\n",
    "{{ }}", "{% %}", "{{ 1 2 }}", "{% if %}", "{{ 1 +", "{% unknown %}", "{% endif %}", "{{ 'a", "{# x", "{% raw %}x", "{{ (1 }}", "{{ 1) }}",
    "{% for x in y %}", "{% if true %}{% endfor %}", "{% break %}", "{{ a b }}", "{{ 1 is 2 is 3 }}", "{{ @ }}", "{{ 'a' 'b' }}",
    # Literals.
    "{{ 1_000 }} {{ 0x1f }} {{ 0b101 }} {{ 0o17 }} {{ 1e3 }} {{ 1.5e-3 }} {{ 1_0.2_5 }} {{ 1e400 }}", "{{ 'a\\nb\\t\\x41\\u00e9\\101\\'\\\"\\q' }}",
    "{{ \"it's\" }} {{ 'say \"x\"' }} {{ ['it\\'s', '\"', '\\n', '\\\\', 'é', '\\x00'] }}", "{{ True }} {{ None }} {{ False }} {{ true }} {{ none }}",
    "{{ (1,) }} {{ () }} {{ (1, 2) }} {{ 1, 2 }} {{ [1, 'a', none, 2.0] }} {{ {'a': 1, 2: 'b', none: 3} }}", "{{ {'a': 1, 'a': 2} }}",
    "{{ floats }}", "{{ floats|tojson }}", "{{ quote }}", "{{ [quote] }}", "{{ big }}", "{{ 1.0 }} {{ 1e15 }} {{ 1e16 }} {{ 123456.789 }}",
    # Names and scopes.
    "{% set x = 1 %}{% for i in [1] %}{% set x = 2 %}{% endfor %}{{ x }}", "{% if true %}{% set x = 1 %}{% endif %}{{ x }}",
    "{% set x = 1 %}{% with x = 2, y = x %}{{ x }}{{ y }}{% set x = 3 %}{{ x }}{% endwith %}{{ x }}", "{% for x in [1, 2] %}{{ x }}{% endfor %}{{ x }}",
    "{% set ns = namespace(a=1) %}{% for i in [1, 2] %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}", "{% set ns = namespace({'a': 1}, b=2) %}{{ ns.a }}{{ ns.b }}{{ ns.c }}",
    "{% set ns = 1 %}{% set ns.a = 1 %}", "{% set ns = namespace() %}{% set ns._x = 1 %}", "{% set a, b = 1, 2 %}{{ a }}{{ b }}", "{% set (a, b) = [1, 2] %}{{ a }}{{ b }}",
    "{% set a, b = [1] %}", "{% set x %}a{{ 1 }}{% endset %}[{{ x }}]", "{% set x | upper | trim %} a {% endset %}[{{ x }}]", "{% set x %}{% set y = 1 %}{% endset %}{{ y }}",
    "{% filter upper %}a{{ 'b' }}{% endfilter %}", "{% filter replace('a', 'b') | upper %}aa{% endfilter %}", "{% block x %}a{% endblock %}", "{% set q = 1 %}{% block x %}{{ q }}{% set q = 2 %}{% endblock x %}{{ q }}",
    "{% for i in [1] %}{% block b %}{{ i }}{% endblock %}{% endfor %}", "{% for i in [1] %}{% block b scoped %}{{ i }}{% endblock %}{% endfor %}",
    "{{ messages[0].nothing }}|{{ messages[9] }}|{{ nothing.x }}", "{{ missing.x }}", "{{ nested.missing.x }}", "{{ missing + 1 }}", "{{ missing() }}", "{{ -missing }}",
    "{{ missing|upper }}|{{ missing|length }}|{{ missing|list }}", "{{ missing == none }}{{ missing == missing2 }}", "{% if missing %}a{% else %}b{% endif %}", "{{ missing is defined and missing.x }}",
    # Loops.
    "{% for x in numbers if x > 1 %}{{ loop.index }}{{ x }}{{ loop.last }} {% else %}none{% endfor %}", "{% for k, v in nested.items() %}{{ k }}={{ v }};{% endfor %}", "{% for k in nested %}{{ k }}{% endfor %}",
    "{% for c in 'abc' %}{{ c }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.previtem }}{{ loop.nextitem }}{% endfor %}",
    "{% for x in numbers %}{% if x == 2 %}{% break %}{% endif %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endfor %}", "{% for x in [] %}{% else %}e{% endfor %}", "{% for x in none %}{% endfor %}", "{% for x in 3 %}{% endfor %}",
    "{% for x in numbers %}{{ loop.cycle('a', 'b') }}{% endfor %}", "{% for x in [1, 1, 2, 2, 1] %}{{ loop.changed(x) }}{% endfor %}", "{% for x in [1, [2, [3]]] recursive %}{% if x is sequence %}<{{ loop(x) }}>{% else %}{{ x }}{{ loop.depth }}{{ loop.depth0 }}{% endif %}{% endfor %}",
    "{% for x in numbers|reverse %}{{ x }}{{ loop.length }} {% endfor %}", "{% for a, b in [[1, 2], [3, 4]] %}{{ a }}{{ b }}{% endfor %}", "{% for a, b in [[1]] %}{% endfor %}", "{% for i in range(1, 10, 3) %}{{ i }}{% endfor %}{% for i in range(5, 0, -2) %}{{ i }}{% endfor %}",
    "{{ range(3)|list }} {{ range(2, 5)[1] }} {{ range(10)[2:4]|list }} {{ range(100001) }}", "{% for x in [1, 2] %}{% for y in [3] %}{{ loop.index }}{% endfor %}{{ loop.index }}{% endfor %}", "{% for x in [1,2] %}{% set l = loop %}{% for y in [1] %}{{ l.index }}{% endfor %}{% endfor %}",
    "{% for m in messages[1:] %}{{ m.role }}{{ m['content']|length }}{% endfor %}", "{% for x in numbers[::-1] %}{{ x }}{% endfor %}", "{% set loop = 3 %}{{ loop }}", "{{ loop }}",
    # Macros and calls.
    "{% macro f(a, b=2) %}{{ a }}{{ b }}{% endmacro %}{{ f(1) }}{{ f(1, 3) }}{{ f(b=4, a=5) }}{{ f() }}", "{% macro f() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1, 2, x=3) }}", "{% macro f(a) %}{% endmacro %}{{ f(1, 2) }}", "{% macro f(a) %}{% endmacro %}{{ f(x=2) }}",
    "{% macro f(a, a2=a) %}{{ a2 }}{% endmacro %}{{ f(1) }}", "{% macro f(n) %}{% if n %}{{ n }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}", "{% set x = 1 %}{% macro f() %}{{ x }}{% endmacro %}{% set x = 2 %}{{ f() }}", "{% macro f() %}{{ x }}{% endmacro %}{% set x = 2 %}{{ f() }}",
    "{% macro f() %}[{{ caller() }}]{% endmacro %}{% call f() %}in{% endcall %}", "{% macro f() %}{{ caller(1, 2) }}{% endmacro %}{% call(a, b) f() %}{{ a }}-{{ b }}{% endcall %}", "{% macro f() %}{{ caller is defined }}{% endmacro %}{{ f() }}", "{% for i in [1, 2] %}{% macro f() %}{{ i }}{% endmacro %}{{ f() }}{% endfor %}",
    "{% macro f(x) %}{{ x }}{% endmacro %}{% for i in [1] %}{% call f(i) %}{% endcall %}{% endfor %}", "{% macro f(x) %} {{ x }} {% endmacro %}[{{ f('a')|trim }}]", "{{ f.name }}{% macro f() %}{% endmacro %}{{ f.name }}", "{% macro f(a=1, b) %}{% endmacro %}", "{% macro f(x) %}{{ x|upper }}{% endmacro %}{{ ['a', 'b']|map('upper')|join }}{{ f(x='q') }}",
    "{% macro f() %}{% for x in [1, 2] %}{{ caller(x) }}{% endfor %}{% endmacro %}{% set o = 9 %}{% call(x) f() %}{{ x }}{{ o }}{% endcall %}", "{{ dict(a=1, b=2) }} {{ dict([['x', 1]]) }} {{ dict({'k': 'v'}, z=0) }}", "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.current }}{{ c.next() }}{{ c.reset() }}{{ c.next() }}",
    "{% set j = joiner('|') %}{{ j() }}a{{ j() }}b{{ j() }}", "{% set j = joiner() %}{{ j() }}a{{ j() }}b", "{{ raise_exception('no') }}", "{{ f(*[1, 2], **{'b': 3}) }}", "{% macro g(a, b, c) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ g(*[1, 2], **{'c': 3}) }}", "{{ 'a'() }}", "{{ 3.x }}", "{{ people.0.name }}",
    # Operators.
    "{{ 1 + 2 * 3 - 4 / 2 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ 2 ** 10 }} {{ 2 ** -1 }} {{ -2 ** 2 }} {{ 2 ** 3 ** 2 }}", "{{ 1 / 0 }}", "{{ 1 % 0 }}", "{{ 1 // 0 }}", "{{ 5.5 // 2 }} {{ -5.5 % 2 }} {{ 1e308 * 10 }}", "{{ 'a' * 3 }}{{ 3 * 'b' }}{{ [1] * 2 }}{{ 'x' * -1 }}",
    "{{ [1] + [2] }}{{ (1,) + (2,) }}{{ 'a' + 'b' }}", "{{ 1 ~ 'a' ~ none ~ 2.0 ~ [1] ~ true }}", "{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 1 == 1.0 }} {{ true == 1 }} {{ 'a' < 'b' }} {{ [1, 2] < [1, 3] }} {{ (1, 2) == [1, 2] }}", "{{ not true }} {{ not 0 and 1 }} {{ 0 or 'x' }} {{ 1 and [] }} {{ not not 1 }}",
    "{{ 'a' in 'abc' }} {{ 'd' not in 'abc' }} {{ 1 in [1] }} {{ 'a' in {'a': 1} }} {{ 1 in 'a' }}", "{{ 'x' if true }}|{{ 'x' if false }}|{{ 'a' if false else 'b' if false else 'c' }}", "{{ -1|abs }} {{ (-1)|abs }} {{ -'a' }}", "{{ +1 }} {{ +true }} {{ -true }}", "{{ 1 if 0 else 2 ~ 3 }}", "{{ not 1 == 2 }} {{ 1 in [1] == true }}",
    "{{ 'a%sb%d' % ('x', 3) }} {{ '%s' % 'q' }} {{ '%s' % none }} {{ '%5.2f|%-5d|%05d|%x|%X|%o|%e|%c|%%|%r|%+d|% d' % (3.14159, 42, 42, 255, 255, 8, 12345.678, 'z', 'q', 5, 5) }}", "{{ '%(a)s %(b)d' % {'a': 1, 'b': 2} }}", "{{ '%s' % (1, 2) }}", "{{ '%s %s' % 1 }}", "{{ '%d' % 'a' }}", "{{ '%s' % [1, 2] }}", "{{ '%.3s|%8s|%-8s|' % ('abcdef', 'r', 'l') }}", "{{ '%5s' % missing }}",
    "{{ '{} {}'.format(1, 'a') }} {{ '{1}{0}'.format(1, 2) }} {{ '{a}'.format(a=3) }} {{ '{:>5}|{:<5}|{:^5}|{:05d}|{:.2f}|{:,}|{:x}|{!r}'.format(1, 'a', 'b', 42, 3.14159, 1234567, 255, 'q') }} {{ '{{}}'.format() }}", "{{ '{0.name} {0[age]}'.format(people[0]) }}", "{{ '{}'.format() }}", "{{ '{0[0]}'.format([5]) }}", "{{ '{:%}'.format(0.25) }} {{ '{:+d} {: d}'.format(3, 4) }} {{ '{:e}'.format(12345.0) }} {{ '{:*^9}'.format('mid') }}", "{{ '%s and %s'|format('a', 'b') }} {{ '%(x)s'|format(x=1) }}",
    # Access.
    "{{ 'abc'[0] }}{{ 'abc'[-1] }}{{ 'abc'[5] }}{{ 'abc'[1:] }}{{ 'abc'[::-1] }}{{ 'abcdef'[1:5:2] }}{{ 'abc'[:-1] }}{{ 'é日x'[1] }}", "{{ numbers[1] }}{{ numbers[-1] }}{{ numbers[1:3] }}{{ numbers[::2] }}{{ numbers[10:] }}{{ numbers[3:1] }}", "{{ numbers['x'] }}", "{{ nested['b'] }}{{ nested.b }}{{ nested['items'] }}", "{{ nested.items is defined }}{{ nested['a']['z'][1].q }}", "{{ nested.get('b') }}{{ nested.get('zz') }}{{ nested.get('zz', 5) }}", "{{ nested.keys()|list }}{{ nested.values()|list|length }}", "{{ nested.keys() }}", "{{ {'a': 1}.values() }} {{ {'a': 1}.items() }}",
    "{{ numbers.append(1) }}", "{{ nested.update({}) }}", "{{ nested.pop('b') }}", "{{ numbers.append is defined }}", "{{ numbers.index(2) }}{{ numbers.count(3) }}", "{{ (1, 2).index(2) }}", "{{ numbers.index(99) }}", "{{ nested.copy() == nested }}", "{{ messages[0]['role'] }}{{ messages[0].role }}", "{{ numbers[true] }}", "{{ nested[none] }}", "{{ numbers[1.0] }}", "{{ nothing[0] }}", "{{ nothing['a'] }}", "{{ 'a'.b }}", "{{ people[0]['city'].name }}", "{{ nested[[1]] }}", "{{ numbers[1:'a'] }}", "{{ nothing[1:] }}|", "{{ missing[1:] }}", "{{ nested.__class__ }}", "{{ ''.__class__ }}|", "{{ {1: 'a'}[1] }}{{ {1: 'a'}[1.0] }}{{ {true: 'a'}[1] }}",
    # Filters with arguments.
    "{{ words|sort }} {{ words|sort(true) }} {{ words|sort(case_sensitive=true) }} {{ words|sort(reverse=true) }} {{ numbers|sort }}", "{{ people|sort(attribute='name')|map(attribute='name')|join(',') }}", "{{ people[:3]|sort(attribute='age,name')|map(attribute='name')|list }}", "{{ people[:3]|sort(attribute='city.name', reverse=true)|map(attribute='city.name')|list }}", "{{ [3, 'a']|sort }}", "{{ people|map(attribute='age', default=0)|list }}", "{{ people|map(attribute='age')|list }}", "{{ people|map('length')|list }}",
    "{{ people|selectattr('age')|map(attribute='name')|list }} {{ people|selectattr('age', 'defined')|list|length }} {{ people|rejectattr('age', 'equalto', 30)|map(attribute='name')|list }} {{ people|selectattr('age', '==', 30)|list|length }}", "{{ messages|selectattr('role', 'equalto', 'user')|list|length }} {{ messages|selectattr('role', 'in', ['user', 'tool'])|list|length }}", "{{ numbers|select('odd')|list }} {{ numbers|reject('gt', 2)|list }} {{ numbers|select('divisibleby', 2)|list }}", "{{ numbers|map('nope')|list }}", "{{ numbers|select('nope')|list }}", "{{ numbers|nope }}", "{{ numbers is nope }}", "{{ numbers|map }}",
    "{{ words|join }} {{ words|join(', ') }} {{ people|join('-', attribute='name') }} {{ numbers|join('') }} {{ 'abc'|join('.') }}", "{{ nested|dictsort }} {{ nested|dictsort(true) }} {{ {'a': 2, 'b': 1}|dictsort(by='value') }} {{ {'a': 2, 'b': 1}|dictsort(reverse=true) }} {{ {'a': 2, 'b': 1}|dictsort(false, 'value') }} {{ {'a': 2}|dictsort(by='x') }}", "{{ words|unique|list }} {{ words|unique(true)|list }} {{ people[:3]|unique(attribute='age')|map(attribute='name')|list }}", "{{ words|min }} {{ words|max }} {{ numbers|min }} {{ people[:3]|max(attribute='age') }} {{ []|min }}", "{{ numbers|sum }} {{ people[:3]|sum(attribute='age') }} {{ numbers|sum(start=10) }} {{ floats[:2]|sum }}",
    "{{ text|indent }}", "{{ text|indent(2) }}", "{{ text|indent(width=3, first=true) }}", "{{ 'a\\n\\nb'|indent(2, blank=true) }}|{{ 'a\\n\\nb\\n'|indent(2) }}|{{ ''|indent(2, true) }}|{{ 'a'|indent('> ', true) }}", "{{ text|truncate(10) }}|{{ text|truncate(10, true) }}|{{ text|truncate(12, end='…') }}|{{ 'abcdefgh'|truncate(5, true, '', 0) }}|{{ text|truncate(2) }}", "{{ text|wordcount }} {{ text|center(120) }}|", "{{ text|replace('o', '0', 2) }} {{ 123|replace(2, 'x') }}", "{{ '  x '|trim }}|{{ 'xxaxx'|trim('x') }}|{{ '--a-'|trim(chars='-') }}", "{{ text|title }}", "{{ text|urlencode }} {{ {'a b': 'c/d&'}|urlencode }} {{ 'a/b c?'|urlencode }}", "{{ '<a href=\"x\">\\'&'|e }} {{ '<'|escape|escape }} {{ '<'|forceescape }} {{ '<'|safe|e }} {{ ('<'|e) + '>' }} {{ '<'|e ~ '>' }} {{ '<' + ('>'|safe) }}",
    "{{ '42.7'|int }} {{ 'x'|int }} {{ 'x'|int(5) }} {{ '0x1f'|int(base=16) }} {{ '1_000'|int }} {{ 3.9|int }} {{ none|int }} {{ '1e3'|int }} {{ ' 12 '|int }} {{ 'ff'|int(0, 16) }}", "{{ '1.5'|float }} {{ 'x'|float }} {{ 'x'|float(2.5) }} {{ '1e3'|float }} {{ 'inf'|float }} {{ '1_0.5'|float }}", "{{ 2.5|round }} {{ 3.5|round }} {{ 2.675|round(2) }} {{ 7|round }} {{ 2.1|round(method='ceil') }} {{ 2.9|round(0, 'floor') }} {{ 1234.567|round(1, 'ceil') }} {{ -2.5|round }}", "{{ [1, 2, 3, 4, 5]|batch(2)|list }} {{ [1, 2, 3]|batch(2, 'x')|list }} {{ [1, 2, 3, 4, 5]|slice(2)|list }} {{ [1, 2, 3, 4, 5]|slice(3, 'x')|list }}", "{{ 'abc'|reverse }} {{ [1, 2]|reverse|list }} {{ 'abc'|first }} {{ []|first }} {{ []|last is defined }} {{ nested|first }} {{ 'abc'|list }}", "{{ people[:3]|groupby('age') }}", "{{ people|attr('x') is defined }} {{ namespace(a=1)|attr('a') }}", "{{ missing|default }}|{{ missing|default('a') }}|{{ ''|default('a') }}|{{ ''|default('a', true) }}|{{ none|default('a') }}|{{ missing|d(1) }}",
    "{{ 1|string + 'a' }} {{ none|string }} {{ 1.0|string }} {{ [1]|string }}", "{{ 'a'|default('b')|upper ~ 'c' }} {{ 'x'|upper|lower }} {{ (1, 2)|list }} {{ 'AB c'|lower }}", "{{ 'a' is sameas 'a' is defined }}", "{{ none is sameas none }} {{ true is sameas(true) }} {{ numbers is sameas numbers }} {{ numbers is sameas [3] }}", "{{ 'trim' is filter }} {{ 'nope' is filter }}",
    # JSON.
    "{{ nested|tojson }}", "{{ nested|tojson(indent=2) }}", "{{ nested|tojson(sort_keys=true) }}", "{{ nested|tojson(separators=(',', ':')) }}", "{{ nested|tojson(indent=1, separators=(',', ': '), sort_keys=true) }}", "{{ tools|tojson }}", "{{ tools|tojson(ensure_ascii=true) }}", "{{ tools|tojson(true, 2) }}", "{{ quote|tojson }} {{ quote|tojson(ensure_ascii=true) }}", "{{ {none: 1, true: 2, 3: 4, 1.5: 5}|tojson }}", "{{ {(1, 2): 3}|tojson }}", "{{ [1, 1.0, 1e-7, 1e22, true, none, 'é', '</a>', '\\u2028']|tojson }}", "{{ [[], {}, [[]], {'a': {}}]|tojson(indent=2) }}", "{{ missing|tojson }}", "{{ [missing]|tojson }}", "{{ range(3)|tojson }}", "{{ nested.items()|tojson }}", "{{ (1, 2)|tojson }} {{ 'a'|tojson|tojson }}", "{{ [1]|tojson(indent=0) }} {{ [1, [2]]|tojson(indent='--') }}", "{{ {'b': 1, 1: 2}|tojson(sort_keys=true) }}", "{{ '😀'|tojson(ensure_ascii=true) }}{{ '\\x7f\\x08\\x0c'|tojson }}", "{{ nested|tojson(nope=1) }}", "{{ namespace(a=1)|tojson }}", "{{ messages|tojson }}", "{{ messages[2].tool_calls[0].function.arguments|tojson }}", "{{ messages[2].tool_calls[0].function|tojson|safe ~ '!' }}",
    # Dates.
    "{{ strftime_now('%Y-%m-%d %H:%M:%S') }}", "{{ strftime_now('%d %b %Y') }} {{ strftime_now('%e %-d %j %U') }} {{ strftime_now('%A, %B %d, %Y') }}", "{{ strftime_now() }}", "{{ strftime_now is defined }}", "{{ strftime_now('%') }}|{{ strftime_now('100%% %q') }}",
    # What the settings leave out.
    "{% do 1 %}", "{% include 'x' %}", "{% trans %}a{% endtrans %}", "{{ debug() }}",
    # Shapes that templates in use have.
    "{% if tools is iterable and tools | length > 0 %}t{% endif %}{% if nothing is iterable and nothing | length > 0 %}n{% endif %}", "{%- for message in messages %}{%- if message.content is string %}{{- message.role + ': ' + message.content | trim + '\\n' }}{%- elif message.content is not none and message.content is iterable %}{%- for item in message.content %}{{ item.text }}{%- endfor %}{%- endif %}{%- endfor %}",
    "{% set content = '<think>\\nhm\\n</think>\\n\\nYes' %}{{ content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') }}|{{ content.split('</think>')[-1].lstrip('\\n') }}", "{%- set ns = namespace(multi_step_tool=true, last=messages|length - 1) %}{%- for m in messages[::-1] %}{%- set index = (messages|length - 1) - loop.index0 %}{%- if ns.multi_step_tool and m.role == 'user' %}{%- set ns.multi_step_tool = false %}{%- set ns.last = index %}{%- endif %}{%- endfor %}{{ ns.last }}",
    "{%- for message in messages %}{%- if (message.role == 'user') != (loop.index0 % 2 == 0) %}odd{%- endif %}{% endfor %}", "{%- macro render(type, depth) -%}{%- if type.type == 'array' -%}{{ render(type['items'], depth + 1) }}[]{%- else -%}{{ type.type }}@{{ depth }}{%- endif -%}{%- endmacro -%}{%- for name, spec in tools[0].function.parameters.properties.items() %}{{ name }}: {{ render(spec, 0) }}{% if not loop.last %}, {% endif %}{% endfor %}",
    "{{ messages[0]['content'] if messages[0]['role'] == 'system' else 'default' }}", "{{ bos_token + '[INST] ' + messages[1].content + ' [/INST]' }}", "{% for m in messages if m.role != 'system' %}{{ loop.index0 }}{{ m.role }}{% endfor %}", "{{ messages|map(attribute='role')|join('|') }}", "{% set loop_messages = messages[1:] %}{{ loop_messages|length }}{{ (messages | last).role }}{{ messages[-1]['role'] }}", "{{ {'role': 'x'} | tojson }}{{ messages[0].keys()|list }}", "{% for m in messages %}{{ m.get('tool_calls', [])|length }}{{ 'tool_calls' in m }}{{ m.tool_calls is defined and m.tool_calls }}{% endfor %}",
]


def main():
    cases = []
    for source in dict.fromkeys(snippets()):
        try:
            text = chat_template_utils._compile_jinja_template(source).render(**copy.deepcopy(VARIABLES))
        except Exception:  # noqa: BLE001: whatever it is, the reference refuses.
            text = None
        # What Python writes of an object's place in memory no other can; a filter may have made "bt" of "at".
        if text is not None and re.search(r"(?i) [ab]t 0x|built-in|generator", text):
            continue
        cases.append([source, text])
    data = {"now": int(NOW), "microseconds": 1234, "variables": VARIABLES, "cases": cases}
    lines = [json.dumps(case, ensure_ascii=False) for case in cases]
    head = json.dumps({key: data[key] for key in ("now", "microseconds", "variables")}, ensure_ascii=False)
    (HERE / "snippets.json").write_text(head[:-1] + ', "cases": [\n' + ",\n".join(lines) + "\n]}\n")
    print(len(cases), "cases,", sum(text is None for _, text in cases), "of them refused")


if __name__ == "__main__":
    main()
