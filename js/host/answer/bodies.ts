// The ways in which models write calls, between whatever marks.

import type { Tool } from "../../shared/types.js";
import { parsed, type Body, type WrittenCall } from "./parts.js";

/** `{"name": …, "arguments": {…}}`, or a list of them, or several one after the other; Llama says "parameters". */
export const JSON_CALLS: Body = {
  read(body) {
    const whole = parsed(body);
    const values = whole !== undefined ? [whole].flat() : inSequence(body);
    const calls = values?.map(callOf);
    return calls !== undefined && calls.length > 0 && calls.every((call) => call !== undefined) ? calls : undefined;
  },
  name: (begun) => /"name"\s*:\s*"((?:[^"\\]|\\.)+)"/.exec(begun)?.[1],
};

function callOf(value: unknown): WrittenCall | undefined {
  const { function: inner, ...outer } = (value ?? {}) as { function?: object };
  const { id, name, arguments: given, parameters } = { ...outer, ...inner } as Record<string, unknown>;
  if (typeof name !== "string") return undefined;
  const written = given ?? parameters ?? {};
  // OpenAI's spelling: the arguments as a string of JSON.
  const read = typeof written === "string" ? (parsed(written) ?? written) : written;
  return { ...(typeof id === "string" && { id }), name, arguments: read };
}

/** Objects one after the other, with ";", "," or white space between. */
function inSequence(body: string): unknown[] | undefined {
  const values: unknown[] = [];
  let rest = body.trim();
  while (rest !== "") {
    const end = [...rest.matchAll(/\}/g)].map(({ index }) => index + 1).find((end) => parsed(rest.slice(0, end)) !== undefined);
    if (end === undefined) return undefined;
    values.push(parsed(rest.slice(0, end)));
    rest = rest.slice(end).replace(/^[\s;,]+/, "");
  }
  return values;
}

/** `<function=NAME>` and `<parameter=KEY>` with the value on lines of its own: Qwen 3 Coder. */
const FUNCTION_TAGS: Body = {
  read(body, tools) {
    const call = /^\s*<function=([^>\s]+)>([^]*?)<\/function>\s*$/.exec(body);
    if (call === null) return undefined;
    const [, name, inner] = call as unknown as [string, string, string];
    const values = [...inner.matchAll(/<parameter=([^>]+)>\n?([^]*?)\n?<\/parameter>/g)];
    return [{ name, arguments: typed(name, values.map(([, key, value]) => [key!, value!]), tools) }];
  },
  name: (begun) => /<function=([^>\s]+)>/.exec(begun)?.[1],
};

/** A name, then `<arg_key>` and `<arg_value>` in turn: GLM. */
const ARGUMENT_TAGS: Body = {
  read(body, tools) {
    const call = /^\s*([^\s<{]+)\s*((?:<arg_key>[^]*)?)$/.exec(body);
    if (call === null) return undefined;
    const [, name, inner] = call as unknown as [string, string, string];
    // One word is a call only where it is known for one.
    if (inner === "" && !tools.some((tool) => tool.name === name)) return undefined;
    const values = [...inner.matchAll(/<arg_key>([^]*?)<\/arg_key>\s*<arg_value>([^]*?)<\/arg_value>/g)];
    return [{ name, arguments: typed(name, values.map(([, key, value]) => [key!, value!]), tools) }];
  },
  name: (begun) => /^\s*([^\s<{]+)\s*[<\n]/.exec(begun)?.[1],
};

/** What stands between `<tool_call>` and its end differs by model, and cannot be taken for another. */
export const TAGGED_CALLS: Body = {
  read: (body, tools) => JSON_CALLS.read(body, tools) ?? FUNCTION_TAGS.read(body, tools) ?? ARGUMENT_TAGS.read(body, tools),
  name: (begun) => JSON_CALLS.name(begun) ?? FUNCTION_TAGS.name(begun) ?? ARGUMENT_TAGS.name(begun),
};

/** Whether a schema is of texts alone. */
export function isOfTexts(schema: object): boolean {
  const { type, enum: choices, const: fixed } = schema as { type?: unknown; enum?: unknown; const?: unknown };
  if (Array.isArray(choices)) return choices.every((choice) => typeof choice === "string");
  return type === "string" || typeof fixed === "string";
}

/** Values that are written without quotes: a string where the tool wants one. */
function typed(name: string, values: [string, string][], tools: readonly Tool[]): Record<string, unknown> {
  const parameters = tools.find((tool) => tool.name === name)?.parameters as { properties?: Record<string, object> } | undefined;
  return Object.fromEntries(values.map(([key, written]) => {
    if (isOfTexts(parameters?.properties?.[key] ?? {})) return [key, written];
    const value = PYTHON.has(written) ? PYTHON.get(written) : parsed(written);
    return [key, value === undefined ? written : value];
  }));
}

const PYTHON = new Map<string, unknown>([["True", true], ["False", false], ["None", null]]);

/** `[{…}]` behind `[TOOL_CALLS]`; newer ones `NAME[ARGS]{…}`, with `[CALL_ID]` between and the mark again before the next. */
export const MISTRAL_CALLS: Body = {
  read(body, tools) {
    if (/^\s*[[{]/.test(body)) return JSON_CALLS.read(body, tools);
    const calls = body.split("[TOOL_CALLS]").map((each) => {
      const [, name, id, written] = /^\s*([^\s[{]+)\s*(?:\[CALL_ID\]([^[]*))?(?:\[ARGS\])?\s*(\{[^]*\})\s*$/.exec(each) ?? [];
      const given = written === undefined ? undefined : parsed(written);
      return name === undefined || given === undefined ? undefined : { id, name, arguments: given };
    });
    return calls.every((call) => call !== undefined) ? calls : undefined;
  },
  name: (begun) => JSON_CALLS.name(begun) ?? /^\s*([^\s[{]+)\s*[[{]/.exec(begun)?.[1],
};

/** `[name(key="value", n=1)]`, as Python has it: LFM2. */
export const PYTHON_CALLS: Body = {
  read(body, tools) {
    if (/^\s*\[?\s*\{/.test(body)) return JSON_CALLS.read(body, tools);
    const text = new Cursor(body);
    const isList = text.takes("[");
    const calls: WrittenCall[] = [];
    do {
      const name = text.match(/[A-Za-z_][\w.-]*/y);
      if (name === undefined || !text.takes("(")) return undefined;
      const given: Record<string, unknown> = {};
      while (!text.takes(")")) {
        const key = text.match(/[A-Za-z_]\w*/y);
        if (key === undefined || !text.takes("=")) return undefined;
        const value = text.value();
        if (value === undefined) return undefined;
        given[key] = value;
        if (!text.takes(",") && !text.sees(")")) return undefined;
      }
      calls.push({ name, arguments: given });
    } while (text.takes(","));
    return (!isList || text.takes("]")) && text.isOver ? calls : undefined;
  },
  name: (begun) => /^\s*\[?\s*([A-Za-z_][\w.-]*)\(/.exec(begun)?.[1],
};

/** `call:name{key:<escape>text<escape>,n:3}`: FunctionGemma, and Gemma 4 with another quote. */
export const GEMMA_CALLS: Body = {
  read(body) {
    const text = new Cursor(body);
    const name = text.match(/call:/y) === undefined ? undefined : text.match(/[\w.-]+/y);
    const given = name === undefined ? undefined : text.record();
    return given === undefined || !text.isOver ? undefined : [{ name: name!, arguments: given }];
  },
  name: (begun) => /^\s*call:([\w.-]+)\{/.exec(begun)?.[1],
};

const QUOTES = ["<escape>", '<|"|>'];

/** A text that is read from its beginning: values as Python writes them, and Gemma. Spaces between are passed over. */
class Cursor {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  #space(): void {
    while (/\s/.test(this.#text[this.#at] ?? "")) this.#at++;
  }

  get isOver(): boolean {
    this.#space();
    return this.#at === this.#text.length;
  }

  sees(text: string): boolean {
    this.#space();
    return this.#text.startsWith(text, this.#at);
  }

  takes(text: string): boolean {
    const seen = this.sees(text);
    if (seen) this.#at += text.length;
    return seen;
  }

  /** `pattern` is sticky. */
  match(pattern: RegExp): string | undefined {
    this.#space();
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }

  /** `undefined` where there is none. */
  value(): unknown {
    if (++this.#depth > 100) return undefined;
    try {
      return this.#value();
    } finally {
      this.#depth--;
    }
  }

  #value(): unknown {
    if (this.sees("[") || this.sees("(")) return this.#list();
    if (this.sees("{")) return this.record();
    for (const quote of QUOTES) {
      if (!this.takes(quote)) continue;
      const end = this.#text.indexOf(quote, this.#at);
      if (end < 0) return undefined;
      const text = this.#text.slice(this.#at, end);
      this.#at = end + quote.length;
      return text;
    }
    const quoted = this.match(/"(?:[^"\\]|\\[^])*"|'(?:[^'\\]|\\[^])*'/y);
    if (quoted !== undefined) return unquoted(quoted);
    const word = this.match(/[^\s,()[\]{}:=]+/y);
    return word === undefined ? undefined : (PYTHON.has(word) ? PYTHON.get(word) : parsed(word));
  }

  #list(): unknown[] | undefined {
    const close = this.takes("[") ? "]" : ")";
    if (close === ")") this.takes("(");
    const values: unknown[] = [];
    while (!this.takes(close)) {
      const value = this.value();
      if (value === undefined || (!this.takes(",") && !this.sees(close))) return undefined;
      values.push(value);
    }
    return values;
  }

  /** `{key: value}`; keys with quotes or without. */
  record(): Record<string, unknown> | undefined {
    if (!this.takes("{")) return undefined;
    const entries: [string, unknown][] = [];
    while (!this.takes("}")) {
      const isQuoted = ['"', "'", ...QUOTES].some((quote) => this.sees(quote));
      const key = isQuoted ? this.value() : this.match(/[^\s:{}[\],]+/y);
      const value = typeof key === "string" && this.takes(":") ? this.value() : undefined;
      if (value === undefined || (!this.takes(",") && !this.sees("}"))) return undefined;
      entries.push([key as string, value]);
    }
    return Object.fromEntries(entries);
  }
}

/** A string of Python's, whose escapes are JSON's but for quotes and a few of its own. */
function unquoted(quoted: string): unknown {
  const inner = quoted.slice(1, -1).replace(/\\([^])|"|[\0-\x1f]/g, (all, escaped?: string) => {
    if (escaped === undefined) return JSON.stringify(all).slice(1, -1);
    return '"\\/bfnrtu'.includes(escaped) ? all : JSON.stringify(escaped === "'" || escaped === "\n" ? escaped.replace("\n", "") : all).slice(1, -1);
  });
  return parsed(`"${inner}"`);
}
