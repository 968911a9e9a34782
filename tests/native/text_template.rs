//! Chat templates as checkpoints bring them, and as an enemy would write them.

use azulejo::Code;
use azulejo::text::{Chat, ChatPrompt, ChatTemplate, Moment};

fn template(source: &str) -> azulejo::Result<ChatTemplate> {
    ChatTemplate::new(
        source,
        &[("bos_token", "<s>"), ("eos_token", "</s>")].map(|(name, token)| (name.to_owned(), token.to_owned())),
    )
}

fn render(source: &str, list: &[(&str, &str)]) -> azulejo::Result<String> {
    render_chat(source, &Chat::of_texts(list, true))
}

fn render_chat(source: &str, chat: &Chat) -> azulejo::Result<String> {
    template(source)?.render(chat, None).map(|prompt: ChatPrompt| prompt.text().to_owned())
}

fn render_json(source: &str, chat: &str) -> azulejo::Result<String> {
    render_chat(source, &Chat::from_json(chat)?)
}

const TALK: [(&str, &str); 3] = [("user", "Hi"), ("assistant", " Hello. "), ("user", "Bye")];

#[test]
fn chatml() {
    let source = "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}\
        {% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
    let expected = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n Hello. <|im_end|>\n<|im_start|>user\nBye<|im_end|>\n\
        <|im_start|>assistant\n";
    assert_eq!(render(source, &TALK).unwrap(), expected);
}

#[test]
fn llama_3() {
    let source = "{{- bos_token }}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now(\"%d %b %Y\") %}
    {%- else %}
        {%- set date_string = \"26 Jul 2024\" %}
    {%- endif %}
{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = \"\" %}
{%- endif %}
{{- \"<|start_header_id|>system<|end_header_id|>\\n\\n\" }}
{%- if tools is not none %}{{- \"Environment: ipython\\n\" }}{%- endif %}
{{- \"Today Date: \" + date_string + \"\\n\\n\" }}
{{- system_message }}
{{- \"<|eot_id|>\" }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {{- raise_exception(\"This model only supports single tool-calls at once!\") }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}";
    let turn = |role: &str, text: &str| format!("<|start_header_id|>{role}<|end_header_id|>\n\n{text}<|eot_id|>");
    let expected = |date: &str| {
        let system = turn("system", &format!("Today Date: {date}\n\nBe brief."));
        let rest =
            turn("user", "Hi") + &turn("assistant", "Hello.") + "<|start_header_id|>assistant<|end_header_id|>\n\n";
        format!("<s>{system}{rest}")
    };
    let list = [("system", " Be brief. "), ("user", "Hi"), ("assistant", " Hello. ")];
    assert_eq!(render(source, &list).unwrap(), expected("26 Jul 2024"));
    let template = template(source).unwrap();
    let chat = Chat::of_texts(&list, true);
    let at = |seconds, offset| Some(Moment { seconds, microseconds: 0, offset });
    assert_eq!(template.render(&chat, at(951_782_400, 0)).unwrap().text(), expected("29 Feb 2000"));
    // The day is the user's: it is still yesterday in Los Angeles, and tomorrow in Auckland.
    assert_eq!(template.render(&chat, at(951_782_400, -8 * 3600)).unwrap().text(), expected("28 Feb 2000"));
    assert_eq!(template.render(&chat, at(951_782_400 + 12 * 3600, 13 * 3600)).unwrap().text(), expected("01 Mar 2000"));
}

#[test]
fn qwen_3() {
    let source = "{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- for tool in tools %}{{- tool | tojson }}{%- endfor %}
{%- else %}
    {%- if messages[0].role == 'system' %}
        {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endif %}
{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == \"user\" and message.content is string and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}
        {%- set ns.multi_step_tool = false %}
        {%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.content is string %}{%- set content = message.content %}{%- else %}{%- set content = '' %}{%- endif %}
    {%- if (message.role == \"user\") or (message.role == \"system\" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == \"assistant\" %}
        {%- set reasoning_content = '' %}
        {%- if message.reasoning_content is string %}
            {%- set reasoning_content = message.reasoning_content %}
        {%- elif '</think>' in content %}
            {%- set reasoning_content = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {%- if loop.index0 > ns.last_query_index and (loop.last or (not loop.last and reasoning_content)) %}
            {{- '<|im_start|>' + message.role + '\\n<think>\\n' + reasoning_content.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\\n' + content }}
        {%- endif %}
        {%- if message.tool_calls %}{{- raise_exception('tools') }}{%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}
{%- endif %}";
    let list = [("system", "S"), ("user", "Hi"), ("assistant", "<think>\nhm\n</think>\n\nYes"), ("user", "Bye")];
    let expected = "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nYes<|im_end|>\n\
        <|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n";
    assert_eq!(render(source, &list).unwrap(), expected);
}

#[test]
fn mistral() {
    let source = "{{ bos_token }}{% for message in messages %}\
        {% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}\
        {{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}\
        {% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}\
        {% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token}}\
        {% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}";
    assert_eq!(render(source, &TALK).unwrap(), "<s>[INST] Hi [/INST] Hello. </s>[INST] Bye [/INST]");
    let error = render(source, &[("user", "a"), ("user", "b")]).unwrap_err();
    assert_eq!(error.code, Code::InvalidArgument);
    assert!(error.message.contains("must alternate"), "{error}");
}

#[test]
fn gemma() {
    let source = "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}\
        {% for message in messages %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}\
        {% set role = message['role'] %}{% endif %}{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}\
        {% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}";
    let expected = "<s><start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\nHello.<end_of_turn>\n\
        <start_of_turn>user\nBye<end_of_turn>\n<start_of_turn>model\n";
    assert_eq!(render(source, &TALK).unwrap(), expected);
}

#[test]
fn zephyr_keeps_and_trims_lines_as_jinja_does() {
    let source = "{% for message in messages %}\n{% if message['role'] == 'user' %}\n{{ '<|user|>\n' + message['content'] + eos_token }}\n\
        {% elif message['role'] == 'assistant' %}\n{{ '<|assistant|>\n'  + message['content'] + eos_token }}\n{% endif %}\n\
        {% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}";
    let expected = "<|user|>\nHi</s>\n<|assistant|>\n Hello. </s>\n<|user|>\nBye</s>\n<|assistant|>\n";
    assert_eq!(render(source, &TALK).unwrap(), expected);
}

#[test]
fn generation_marks_break_and_json_are_understood() {
    let source = "{%- for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% if loop.index == 2 %}{% break %}\
        {% endif %}{% endfor %}{{ {'a': [1, '<é>'], 'b': none} | tojson }}{{ [1] | tojson(indent=2) }}";
    assert_eq!(render(source, &TALK).unwrap(), "Hi Hello. {\"a\": [1, \"<é>\"], \"b\": null}[\n  1\n]");
}

#[test]
fn python_s_methods_work() {
    let source = "{{ 'a,b'.split(',')|join('-') }} {{ ' x '.strip() }} {{ 'Ab'.lower() }} {{ {'k': 1}.get('k') }} \
        {{ '-'.join(['a', 'b']) }} {{ 'abc'[1:] }} {{ messages[0].content.replace('H', 'h') }} {{ 'x' ~ 1 }} {{ [1, 'a'] }}";
    assert_eq!(render(source, &TALK).unwrap(), "a-b x ab 1 a-b bc hi x1 [1, 'a']");
}

#[test]
fn a_template_that_is_no_template_is_refused_with_its_line() {
    for source in ["{% if %}", "ok\n{{ 1 +", "{% unknown %}"] {
        let error = render(source, &TALK).unwrap_err();
        assert_eq!(error.code, Code::UnsupportedModel, "{source}");
        assert!(error.message.contains("line"), "{error}");
    }
    let error = render("a\nb{{ nothing.at.all }}", &TALK).unwrap_err();
    assert!(error.message.contains("line 2"), "{error}");
}

#[test]
fn templates_that_would_never_end_or_fill_the_memory_are_stopped() {
    let nested =
        "{% set x = [1, 2, 3, 4, 5, 6, 7, 8, 9] %}".to_owned() + &"{% set x = [x, x, x, x, x, x, x, x] %}".repeat(24);
    let bombs = [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}".to_owned(),
        "{% for a in range(100000000000) %}x{% endfor %}".to_owned(),
        "{{ 'a' * 1000000000 }}".to_owned(),
        "{% set x = [0] * 1000000000 %}{% for a in x %}{% endfor %}".to_owned(),
        "{{ ([0] * 1000000000)|list|length }}".to_owned(),
        "{% set ns = namespace(x='aaaaaaaa') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}".to_owned(),
        "{% set ns = namespace(x='aaaaaaaa') %}{% for i in range(60) %}{% set ns.x = ns.x.replace('a', 'aa') %}{% endfor %}".to_owned(),
        "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}".to_owned(),
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}".to_owned(),
        "{{ 1|tojson(indent=1000000000) }}".to_owned(),
        "{{ 'x'|indent(1000000000, true) }}".to_owned(),
        "{{ 'x'|center(1000000000) }}".to_owned(),
        "{{ '%999999999d' % 1 }}".to_owned(),
        "{{ '{:>999999999}'.format('x') }}".to_owned(),
        format!("{nested}{{{{ x }}}}"),
        format!("{nested}{{{{ x|tojson }}}}"),
        format!("{nested}{{{{ x|string|length }}}}"),
        format!("{nested}{{{{ x|join|length }}}}"),
        format!("{nested}{{{{ ','.join(x)|length }}}}"),
        format!("{nested}{{{{ x|pprint|length }}}}"),
        format!("{nested}{{{{ (x|upper)|length }}}}"),
        format!("{nested}{{{{ (x|replace('1', ''))|length }}}}"),
        "{% if ".to_owned() + &"(".repeat(5000) + "1" + &")".repeat(5000) + " %}{% endif %}",
        "{% if 1 %}".repeat(5000) + &"{% endif %}".repeat(5000),
        "x".repeat(300 << 10),
    ];
    for bomb in bombs {
        let start: String = bomb.chars().rev().take(100).collect::<Vec<_>>().into_iter().rev().collect();
        let error = render(&bomb, &TALK).expect_err(&start);
        assert_eq!(error.code, Code::UnsupportedModel, "{start}: {error}");
    }
}

#[test]
fn long_conversations_have_fuel_enough() {
    let long = "word ".repeat(100_000);
    let list: Vec<(&str, &str)> = (0..40).map(|i| (["user", "assistant"][i % 2], long.as_str())).collect();
    let source = "{% for m in messages %}{% set c = m['content'] | trim %}{{ '<|im_start|>' + m['role'] + '\n' + c + '<|im_end|>' }}{% endfor %}";
    assert!(render(source, &list).unwrap().len() > 40 * long.trim().len());
}

#[test]
fn the_budget_grows_with_the_conversation() {
    // Each character by itself; and from each message back over all of them.
    let long = "wörd ".repeat(20_000);
    let by_character =
        "{% for m in messages %}{% for c in m.content %}{% if c != 'z' %}{{ c }}{% endif %}{% endfor %}{% endfor %}";
    assert_eq!(render(by_character, &[("user", &long)]).unwrap(), long);
    let turns: Vec<(&str, &str)> = (0..1000).map(|turn| (["user", "assistant"][turn % 2], "x")).collect();
    let back = "{% for m in messages %}{% set n = namespace(last=0) %}{% for o in messages %}{% if o.role == 'user' %}\
        {% set n.last = loop.index %}{% endif %}{% endfor %}{{ n.last }}{% endfor %}";
    assert_eq!(render(back, &turns).unwrap(), "999".repeat(1000));
}

/// Shows all that a template is given.
const SHOW: &str = "{{ messages|tojson }}{{ tools|tojson }}{{ tool_calls }}{{ documents|tojson }}{{ enable_thinking }}";

#[test]
fn messages_come_with_all_that_they_have_in_the_shape_of_transformers() {
    let chat = r#"{"messages": [
        {"role": "user", "content": "q", "name": "Bo"},
        {"role": "assistant", "content": null, "reasoning": "hm", "toolCalls": [{"id": "1", "name": "f", "arguments": {"b": 1, "a": [2.5]}}]},
        {"role": "tool", "content": "3", "toolCallId": "1"}],
        "tools": [{"name": "f", "description": "d", "parameters": {"type": "object"}}],
        "templateOptions": {"enable_thinking": false, "documents": [{"title": "t", "text": "x"}]}}"#;
    let expected = concat!(
        r#"[{"role": "user", "content": "q", "name": "Bo"}, {"role": "assistant", "thinking": "hm", "reasoning_content": "hm", "#,
        r#""tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": {"b": 1, "a": [2.5]}}}]}, "#,
        r#"{"role": "tool", "content": "3", "tool_call_id": "1"}]"#,
        r#"[{"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}]"#,
        r#"[{"title": "t", "text": "x"}]False"#,
    );
    assert_eq!(render_json(SHOW, chat).unwrap(), expected);
}

#[test]
fn parts_are_one_text_where_a_template_knows_no_parts() {
    let chat = r#"{"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]}"#;
    assert_eq!(render_json("{{ messages[0].content }}", chat).unwrap(), "ab");
    let in_parts =
        "{% for part in messages[0].content %}{% if part.type == 'text' %}[{{ part['text'] }}]{% endif %}{% endfor %}";
    assert_eq!(render_json(in_parts, chat).unwrap(), "[a][b]");
}

#[test]
fn what_a_template_would_lose_is_refused_by_name() {
    let bare = "{% for m in messages %}{{ m.content }}{% endfor %}";
    let message = r#"{"role": "user", "content": "x"}"#;
    for (chat, name) in [
        (format!(r#"{{"messages": [{message}], "tools": [{{"name": "f"}}]}}"#), "tools"),
        (format!(r#"{{"messages": [{message}], "templateOptions": {{"enable_thinking": false}}}}"#), "enable_thinking"),
        (format!(r#"{{"messages": [{message}], "templateOptions": {{"messages": []}}}}"#), "messages"),
        (r#"{"messages": [{"role": "assistant", "toolCalls": [{"name": "f"}]}]}"#.to_owned(), "toolCalls"),
        (r#"{"messages": [{"role": "user", "content": "x", "colour": 1}]}"#.to_owned(), "colour"),
        (r#"{"messages": []}"#.to_owned(), "without messages"),
    ] {
        let error = render_json(bare, &chat).unwrap_err();
        assert_eq!(error.code, Code::InvalidArgument, "{chat}: {error}");
        assert!(error.message.contains(name), "{chat}: {error}");
    }
}

/// What transformers 5 makes of `continue_final_message`.
#[test]
fn the_last_message_is_continued_where_its_text_ends() {
    let keeps = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}";
    let trims = keeps.replace("m.content", "m.content|trim");
    let parts = "{% for m in messages %}<|{{ m.role }}|>{% for p in m.content %}{{ p['text'] }}|{% endfor %}<|end|>{% endfor %}";
    let chat = |content: &str| {
        format!(
            r#"{{"continueFinalMessage": true, "messages": [{{"role": "user", "content": "Sure"}}, {{"role": "assistant", "content": {content}}}]}}"#
        )
    };
    let said = |text: &str| format!("<|user|>Sure<|end|><|assistant|>{text}");
    let cases = [
        (keeps, r#""Sure, ""#, said("Sure, ")),
        (&trims, r#"" Sure, ""#, said("Sure,")),
        (keeps, r#""Sure,\n""#, said("Sure,\n")),
        (keeps, r#""""#, said("")),
        (keeps, r#"[{"type": "text", "text": "Su"}, {"type": "text", "text": "re "}]"#, said("Sure ")),
        (
            parts,
            r#"[{"type": "text", "text": "Su"}, {"type": "text", "text": "re "}]"#,
            "<|user|>||||<|end|><|assistant|>Su|re ".into(),
        ),
        // Its end is the last one: the mark may be spelled out before it.
        (keeps, r#""CONTINUE_FINAL_MESSAGE_TAG x""#, said("CONTINUE_FINAL_MESSAGE_TAG x")),
    ];
    for (source, content, expected) in cases {
        assert_eq!(render_json(source, &chat(content)).unwrap(), expected, "{source} {content}");
    }
    let refused = |source: &str, chat: &str, why: &str| {
        let error = render_json(source, chat).unwrap_err();
        assert!(error.code == Code::InvalidArgument && error.message.contains(why), "{}", error.message);
    };
    refused(keeps, &chat("null"), "no text");
    refused(parts, &chat("[]"), "no text");
    refused("{{ messages[0].content }}", &chat(r#""x""#), "leaves the last message out");
    refused(
        "{{ messages[1].content|replace('x', 'y') }}",
        &chat(r#""x""#),
        "leaves the last message out, or changes it",
    );
    refused(keeps, &chat(r#""x""#).replacen('{', r#"{"addGenerationPrompt": true, "#, 1), "addGenerationPrompt");
    let call = r#""x", "toolCalls": [{"name": "f"}]"#;
    refused("{{ messages[0].tool_calls }}", &chat(call), "toolCalls");
}
