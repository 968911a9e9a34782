// A model's answer as it arrives: paragraphs, fenced code, bold, inline code and headings.
// Text only ever becomes text nodes, and what is on the page is appended to, never built anew,
// so that a long answer costs no more per token than a short one.

import { make } from "./dom.js";

const FENCE = "```";
const INLINE = /(\*\*[^*\n]+\*\*|`[^`\n]+`)/;

/** Streams text into an element. */
export class TextView {
  /** Everything pushed so far, for copying. */
  raw = "";
  private waiting = "";
  private frame = 0;
  private line = "";
  private atLineStart = true;
  private inCode = false;
  private block: HTMLElement | undefined;
  private tail: Text | undefined;

  constructor(private readonly root: HTMLElement, private readonly onPaint: () => void = () => {}) {}

  /** Takes more text; it is painted with the next frame, together with whatever else came by then. */
  push(text: string): void {
    this.raw += text;
    this.waiting += text;
    // A hidden page gets no frames: what gathers is painted when it is looked at again, or at finish().
    if (!this.frame) this.frame = requestAnimationFrame(() => this.paint());
  }

  /** Paints what is left and closes the last paragraph. */
  finish(): void {
    if (this.frame) cancelAnimationFrame(this.frame);
    this.paint();
    if (this.line) this.append(this.line);
    this.line = "";
    this.close();
    this.onPaint();
  }

  private paint(): void {
    this.frame = 0;
    const text = this.waiting;
    this.waiting = "";
    const lines = text.split("\n");
    lines.forEach((part, i) => {
      this.part(part);
      if (i < lines.length - 1) this.endLine();
    });
    this.onPaint();
  }

  /** A piece of one line. At the start of a line it is held back while it may still become a fence. */
  private part(text: string): void {
    if (!this.atLineStart) return this.append(text);
    this.line += text;
    const start = this.line.trimStart();
    if (start.startsWith(FENCE) || FENCE.startsWith(start)) return;
    this.atLineStart = false;
    this.append(this.line);
    this.line = "";
  }

  private endLine(): void {
    const line = this.line;
    this.line = "";
    if (!this.atLineStart) {
      this.append("\n");
    } else if (line.trimStart().startsWith(FENCE)) {
      this.close();
      this.inCode = !this.inCode;
    } else if (line.trim() === "" && !this.inCode) {
      this.close();
    } else {
      this.append(`${line}\n`);
    }
    this.atLineStart = true;
  }

  private append(text: string): void {
    if (!text) return;
    if (!this.tail) this.open();
    this.tail?.appendData(text);
  }

  private open(): void {
    this.tail = document.createTextNode("");
    this.block = make(this.inCode ? "pre" : "p");
    if (this.inCode) {
      this.block.tabIndex = 0; // wide code scrolls, by keyboard too
      const code = make("code");
      code.append(this.tail);
      this.block.append(code);
    } else {
      this.block.append(this.tail);
    }
    this.root.append(this.block);
  }

  private close(): void {
    if (this.tail) this.tail.data = this.tail.data.trimEnd();
    if (this.block && this.tail && !this.inCode) decorate(this.block, this.tail.data);
    this.block = undefined;
    this.tail = undefined;
  }
}

/** Bold, inline code and headings of a paragraph that will not change any more. */
function decorate(paragraph: HTMLElement, text: string): void {
  const heading = /^#{1,6} +/.exec(text);
  if (heading && !text.includes("\n")) {
    paragraph.className = "heading";
    text = text.slice(heading[0].length);
  } else if (!INLINE.test(text)) {
    return;
  }
  paragraph.replaceChildren(
    ...text.split(INLINE).filter(Boolean).map((piece) => {
      if (piece.length > 4 && piece.startsWith("**") && piece.endsWith("**")) return make("strong", "", piece.slice(2, -2));
      if (piece.length > 2 && piece.startsWith("`") && piece.endsWith("`")) return make("code", "", piece.slice(1, -1));
      return document.createTextNode(piece);
    }),
  );
}
