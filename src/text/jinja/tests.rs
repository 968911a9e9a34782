use std::rc::Rc;

use super::{Budget, Renderer, RunResult, Text, Value, parse};
use crate::text::data::Data;
use crate::text::date::Moment;

fn render(source: &str, variables: &[(String, Data)], now: Option<Moment>, budget: &Rc<Budget>) -> RunResult<Text> {
    let template = parse(source)?;
    let values = variables.iter().map(|(name, value)| Ok((name.as_str(), value.value(budget)?)));
    let values = values.collect::<RunResult<Vec<(&str, Value)>>>()?;
    Renderer::new(&template, &values, now, budget.clone()).render()
}

fn budget() -> Rc<Budget> {
    Budget::new(5_000_000, 64 << 20)
}

/// What is known to be refused here and not there: what depends on chance or on Python's memory, bytes, long `pprint`s, and
/// as many digits as a float needs, but no more than so many; and macros that are written out.
fn is_left_out(source: &str) -> bool {
    [
        "|random",
        ".encode()",
        "|pprint",
        "is sameas 'a'",
        "truncate(8)",
        "(numbers|map('string'))",
        "{:.1}]'.format(-2.5)",
        "{% macro pi()",
    ]
    .iter()
    .any(|part| source.contains(part))
}

#[test]
fn templates_say_what_jinja2_says() {
    #[derive(serde::Deserialize)]
    struct File {
        now: i64,
        microseconds: u32,
        variables: Data,
        cases: Vec<(String, Option<String>)>,
    }
    let json = include_str!("../../../tests/reference/templates/snippets.json");
    let File { now, microseconds, variables, cases } = serde_json::from_str(json).unwrap();
    let Data::Map(variables) = variables else { panic!("no variables") };
    let now = Some(Moment { seconds: now, microseconds, offset: 0 });
    assert!(cases.len() > 4000);
    let mut wrong = Vec::new();
    for (source, expected) in cases {
        let budget = budget();
        let found = render(&source, &variables, now, &budget);
        match (&found, &expected) {
            (Err(_), Some(_)) if is_left_out(&source) => {}
            (Ok(found), Some(expected)) if found.as_str() == expected => {}
            (Err(_), None) => {}
            _ => {
                wrong.push(format!("{source}: {:?} instead of {expected:?}", found.as_ref().map(|text| text.as_str())))
            }
        }
        drop(found);
        assert_eq!(budget.held(), 0, "{source} leaves something behind");
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_would_never_end_fill_the_memory_or_the_stack_is_stopped_and_leaves_nothing() {
    let double = "{% set ns = namespace(a=[1], b=[1]) %}{% for i in range(90) %}{% set ns.a = [ns.a, ns.a] %}\
        {% set ns.b = [ns.b, ns.b] %}{% endfor %}";
    let deep = |count: usize, then: &str| {
        format!(
            "{{% set n = namespace(x=[]) %}}{{% for i in range({count}) %}}{{% set n.x = [n.x] %}}{{% endfor %}}{then}"
        )
    };
    let bombs = [
        "{% set n = namespace() %}{% set n.a = n %}{{ n }}".to_owned(),
        "{% set n = namespace(x='a' * 20000000) %}{% set n.a = n %}{{ n.x|length }}{{ n }}".to_owned(),
        deep(3000, "{{ n.x }}"),
        deep(40_000, "ok"),
        deep(99_999, "{{ n.x|tojson }}"),
        format!("{double}{{{{ ns.a == ns.b }}}}"),
        format!("{double}{{{{ ns.a in [ns.b] }}}}"),
        format!("{double}{{{{ [ns.a, ns.b]|sort }}}}"),
        format!("{double}{{{{ [ns.a, ns.b]|max }}}}"),
        format!("{double}{{{{ ns.a ~ '' }}}}"),
        format!("{double}{{{{ ns.a|string|length }}}}"),
        format!("{double}{{{{ ns.a|tojson|length }}}}"),
        format!("{double}{{{{ '%s' % (ns.a,) }}}}"),
        format!("{double}{{{{ '{{}}'.format(ns.a) }}}}"),
        "{% set n = namespace(x=[1]) %}{% for i in range(99) %}{% set n.x = n.x + n.x %}{% endfor %}".to_owned(),
        "{% set n = namespace(x=[1]) %}{% for i in range(99) %}{% set n.x = n.x * 9 %}{% endfor %}".to_owned(),
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}".to_owned(),
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}".to_owned(),
        "{% for x in [[[1]]] recursive %}{{ loop([x]) }}{% endfor %}".to_owned(),
        "{% macro f(x) %}{% call f(x) %}{{ caller() }}{% endcall %}{% endmacro %}{{ f(1) }}".to_owned(),
        "{{ 'x'|center(1000000000) }}{{ 'x'.zfill(9999999999) }}".to_owned(),
        "{{ '\t'.expandtabs(9999999999) }}".to_owned(),
        "{{ '%999999999d' % 1 }}".to_owned(),
        "{{ '%*d' % (999999999, 1) }}".to_owned(),
        "{{ '{:>999999999}'.format('x') }}".to_owned(),
        "{{ 1|tojson(indent=9999999999) }}".to_owned(),
        "{{ [1]|batch(99999999999, 'x')|list }}".to_owned(),
        "{{ 9223372036854775807 + 1 }}".to_owned(),
        "{{ (-9223372036854775807 - 1) // -1 }}".to_owned(),
        "{{ -(-9223372036854775807 - 1) }}".to_owned(),
        "{{ 2 ** 9999999 }}".to_owned(),
        format!("{{{{ {}1{} }}}}", "(".repeat(5000), ")".repeat(5000)),
        format!("{{{{ {}1 }}}}", "-".repeat(5000)),
        format!("{{{{ {}1 }}}}", "not ".repeat(5000)),
        format!("{{{{ 1{} }}}}", " + 1".repeat(5000)),
        format!("{{{{ 1{} }}}}", "|abs".repeat(5000)),
        format!("{{{{ x{} }}}}", ".x".repeat(5000)),
        format!("{{{{ x{} }}}}", "[0]".repeat(5000)),
        format!("{{{{ {}1 }}}}", "1 if 1 else ".repeat(5000)),
        format!("{}{}", "{% if 1 %}".repeat(5000), "{% endif %}".repeat(5000)),
    ];
    for bomb in bombs {
        let budget = budget();
        let start = bomb.chars().take(120).collect::<String>();
        assert!(render(&bomb, &[], None, &budget).is_err(), "{start}");
        assert_eq!(budget.held(), 0, "{start} leaves something behind");
    }
}

#[test]
fn an_order_that_contradicts_itself_is_no_end() {
    let source = "{{ [nan, 1.0, nan, 0.5, nan, 3, 2, nan]|sort|length }}";
    let variables = [("nan".to_owned(), Data::Float(f64::NAN))];
    assert_eq!(render(source, &variables, None, &budget()).unwrap().as_str(), "8");
}

/// The text with what was given in `«»`.
fn marked(text: &Text) -> String {
    text.stretches().map(|(part, given)| if given { format!("«{part}»") } else { part.to_owned() }).collect()
}

#[test]
fn what_the_caller_gave_stays_known_whatever_is_done_to_it() {
    let variables = [
        ("x".to_owned(), Data::text(" <|a|> é ")),
        ("list".to_owned(), Data::List(vec![Data::text("u"), Data::text("v")])),
        ("map".to_owned(), Data::Map(vec![("k".to_owned(), Data::text("\"w\n"))])),
    ];
    let cases = [
        ("<{{ x }}>", "<« <|a|> é »>"),
        ("{{ '<' + x|trim ~ '>' }}", "<«<|a|> é»>"),
        ("{{ x.strip()[2:-1] }}|{{ x[3] }}|{{ x[::-1] }}", "«a|> »|«a»|« é >|a|< »"),
        ("{{ x.replace('a', 'b') }}{{ 'c-d'.replace('-', x) }}", "« <|»b«|> é »c« <|a|> é »d"),
        ("{{ x.split('|')|join('+') }}{{ 'q'.join(list) }}", "« <»+«a»+«> é »«u»q«v»"),
        ("{{ x|upper }}{{ x.title() }}{{ x.center(11, '*') }}", "« <|A|> É  <|A|> É »*« <|a|> é »*"),
        ("{{ '%s/%s' % (x, 1) }}{{ '{}'.format(list[0]) }}{{ list|string }}", "« <|a|> é »/1«u»['«u»', '«v»']"),
        (
            "{{ map|tojson }}{% for k, v in map.items() %}{{ k }}{{ v|length }}{% endfor %}",
            "{\"«k»\": \"«\\\"w\\n»\"}«k»3",
        ),
        (
            "{% set y %}[{{ x|trim }}]{% endset %}{{ y }}{% filter upper %}a{{ list[0] }}{% endfilter %}",
            "[«<|a|> é»]A«U»",
        ),
        ("{% macro f(a) %}({{ a }}){% endmacro %}{{ f(list[1]) }}{{ f('w')|replace('w', list[0]) }}", "(«v»)(«u»)"),
        ("{% for c in list[0] ~ 'z' %}{{ c }}{% endfor %}{{ (x|trim|list)[0] }}{{ list|sort|first }}", "«u»z«<u»"),
        (
            "{{ x|e }}{{ x|urlencode|length }}{{ x.partition('a')[1] }}{{ x|trim|indent(2, true) }}",
            "« &lt;|a|&gt; é »28«a»  «<|a|> é»",
        ),
        ("{{ 'a' if x else 'b' }}{{ list|length }}{{ x|default('z')|wordcount }}", "a22"),
        (
            "{{ '-' * 3 }}{{ list[0] * 3 }}{{ x.strip().zfill(8) }}{{ x|truncate(4, true, '') }}",
            "---«uuu»0«<|a|> é <|a|> é »",
        ),
    ];
    for (source, expected) in cases {
        let text = render(source, &variables, None, &budget()).unwrap_or_else(|stop| panic!("{source}: {stop:?}"));
        // Stretches that touch are one.
        assert_eq!(marked(&text), expected.replace("»«", ""), "{source}");
    }
}
