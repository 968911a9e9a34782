// A model's answer as it arrives, as Markdown. What is whole stays as it is on the page: only the blocks that became others, mostly
// the last, are built anew, so that a reader may select and copy while the rest comes.

import { blockElement, blocksOf } from "./markdown.js";

/** A block on the page, and what it was made from. */
interface Shown {
  key: string;
  node: ChildNode | undefined;
}

/** Streams text into an element. */
export class TextView {
  /** Everything pushed so far, for copying. */
  raw = "";
  private shown: Shown[] = [];
  private frame = 0;

  constructor(private readonly root: HTMLElement, private readonly onPaint: () => void = () => {}) {}

  /** Takes more text; it is painted with the next frame, together with whatever else came by then. */
  push(text: string): void {
    this.raw += text;
    // A hidden page gets no frames: what gathers is painted when it is looked at again, or at finish().
    if (!this.frame) this.frame = requestAnimationFrame(() => this.paint(false));
  }

  /** Paints what is left; the last block is whole now. */
  finish(): void {
    if (this.frame) cancelAnimationFrame(this.frame);
    this.paint(true);
  }

  private paint(end: boolean): void {
    this.frame = 0;
    const blocks = blocksOf(this.raw).filter(({ type }) => type !== "space");
    const keys = blocks.map(({ type, raw }, at) => `${type} ${end || at < blocks.length - 1} ${raw}`);
    let same = 0;
    while (same < keys.length && keys[same] === this.shown[same]?.key) same += 1;
    for (const { node } of this.shown.splice(same)) node?.remove();
    for (const [at, block] of blocks.entries()) {
      if (at < same) continue;
      const node = blockElement(block, end || at < blocks.length - 1);
      this.shown.push({ key: keys[at]!, node });
      if (node) this.root.append(node);
    }
    this.onPaint();
  }
}
