// Markdown as elements of the page. The text of a model becomes text nodes, whatever is in it: no HTML, no pictures from elsewhere,
// links only to where a link may lead.

import { make } from "./dom.js";
import { copyButton } from "./copy-button.js";
import { Lexer, type Token, type Tokens } from "./marked.js";

/** GitHub's Markdown; a line of an answer is a line on the page. */
const OPTIONS = { gfm: true, breaks: true };
const ENTITIES: Record<string, string> = { "&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'", "&nbsp;": "\u00a0" };

/** The blocks of a text, each with its source in `raw`. */
export const blocksOf = (text: string): Token[] => new Lexer(OPTIONS).lex(text);

/** A block as an element; nothing for space between blocks. `whole`: its text will not change any more. */
export function blockElement(token: Token, whole: boolean): ChildNode | undefined {
  switch (token.type) {
    case "space":
    case "def":
      return undefined;
    case "heading":
      return within(make("h4", "heading"), inline(token.tokens));
    case "code":
      return codeBlock(token as Tokens.Code, whole);
    case "blockquote":
      return within(make("blockquote"), blocks(token.tokens, whole));
    case "list":
      return list(token as Tokens.List, whole);
    case "table":
      return table(token as Tokens.Table);
    case "hr":
      return make("hr");
    case "paragraph":
      return within(make("p"), inline(token.tokens));
    case "html":
      return make("p", "", token.raw.trim());
    default:
      return within(make("p"), inline([token]));
  }
}

function within<T extends HTMLElement>(element: T, children: (Node | string)[]): T {
  element.dir = "auto";
  element.append(...children);
  return element;
}

const blocks = (tokens: Token[] | undefined, whole: boolean): ChildNode[] => (tokens ?? []).flatMap((token) => blockElement(token, whole) ?? []);

function codeBlock({ text, lang }: Tokens.Code, whole: boolean): HTMLElement {
  const language = /^\S+/.exec(lang ?? "")?.[0] ?? "";
  const figure = make("figure", "code");
  const head = make("div", "code-head");
  head.append(make("span", "quiet", language || "code"));
  if (whole) head.append(copyButton(() => text, "Copy code"));
  const pre = make("pre");
  pre.tabIndex = 0; // wide code scrolls, by keyboard too
  pre.setAttribute("role", "region");
  pre.ariaLabel = language ? `Code, ${language}` : "Code";
  pre.append(make("code", "", text));
  figure.append(head, pre);
  return figure;
}

function list({ ordered, start, items }: Tokens.List, whole: boolean): HTMLElement {
  const element = ordered ? make("ol") : make("ul");
  if (element instanceof HTMLOListElement && typeof start === "number" && start !== 1) element.start = start;
  element.append(...items.map((item) => {
    const entry = make("li");
    entry.dir = "auto";
    if (item.task) entry.append(item.checked ? "☑ " : "☐ ");
    // A tight list's texts are no paragraphs.
    entry.append(...item.tokens.flatMap((token): (Node | string)[] => {
      if (token.type === "checkbox") return [];
      if (token.type === "text") return inline((token as Tokens.Text).tokens ?? [token]);
      return [blockElement(token, whole) ?? ""];
    }));
    return entry;
  }));
  return element;
}

/** In a box that scrolls, where it is wider than the page. */
function table({ header, align, rows }: Tokens.Table): HTMLElement {
  const element = make("table");
  const cell = (tag: "th" | "td", { tokens }: Tokens.TableCell, column: number) => {
    const made = within(make(tag), inline(tokens));
    if (tag === "th") made.setAttribute("scope", "col");
    if (align[column]) made.style.textAlign = align[column];
    return made;
  };
  const row = (tag: "th" | "td", cells: Tokens.TableCell[]) => {
    const made = make("tr");
    made.append(...cells.map((each, column) => cell(tag, each, column)));
    return made;
  };
  const [head, body] = [make("thead"), make("tbody")];
  head.append(row("th", header));
  body.append(...rows.map((cells) => row("td", cells)));
  element.append(head, body);
  const box = make("div", "table");
  box.tabIndex = 0;
  box.setAttribute("role", "region");
  box.ariaLabel = "Table";
  box.append(element);
  return box;
}

const inline = (tokens: Token[] | undefined): (Node | string)[] => (tokens ?? []).flatMap(inlineElement);

function inlineElement(token: Token): (Node | string)[] {
  switch (token.type) {
    case "strong":
    case "em":
    case "del": {
      const element = make(token.type);
      element.append(...inline(token.tokens));
      return [element];
    }
    case "codespan":
      return [make("code", "", token.text)];
    case "br":
      return [make("br")];
    case "link":
      return link((token as Tokens.Link).href, inline(token.tokens));
    case "image":
      return link((token as Tokens.Image).href, [`Picture: ${token.text || token.href}`]);
    case "escape":
      return [token.text];
    case "text":
      return token.tokens ? inline(token.tokens) : [decoded(token.text)];
    default:
      return [token.raw];
  }
}

/** A link, where it leads to the web or to a mailbox; else its words. */
function link(href: string, content: (Node | string)[]): (Node | string)[] {
  if (!/^(https?:\/\/|mailto:)/i.test(href)) return content;
  const element = make("a");
  element.href = href;
  element.target = "_blank";
  element.rel = "noopener noreferrer nofollow";
  element.append(...content);
  return [element];
}

const decoded = (text: string) => text.replace(/&(amp|lt|gt|quot|#39|nbsp);/g, (entity) => ENTITIES[entity] ?? entity);
