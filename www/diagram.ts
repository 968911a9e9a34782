// Boxes and arrows: draws what blocks.ts says, as SVG.

import { boxesOf, type Box, type Frame, type Item, type Sum } from "./blocks.js";
import { looksAcross, stacksOf, type Spec } from "./spec.js";

/** Of one stack, in units of the picture. */
const WIDTH = 400;
/** Between two stacks. */
const GAP = 40;
/** Room left of the boxes, where residuals pass. */
const SKIP = 44;
const MARGIN = 16;
const MIDDLE = SKIP + (WIDTH - SKIP - MARGIN) / 2;
/** Between boxes: an arrow's length. */
const ARROW = 20;
const LINE = 16;
const RADIUS = 9;
/** Of a letter of the small lines, about. */
const LETTER = 6.3;
/** Top of the picture: what stands above the stacks. */
const ABOVE = 72;
/** Below: what each of two stacks is called. */
const BELOW = 26;

/** Where a stack is entered and left. */
interface Drawn {
  bottom: number;
  /** Left edges of boxes that read the other stack. */
  crossings: { x: number; y: number }[];
}

/** A column: its middle and its width. */
interface Column {
  middle: number;
  width: number;
}

/** The model's picture. */
export function diagram(spec: Spec, label: string): SVGSVGElement {
  const stacks = stacksOf(spec).map(({ name, stack }) => ({ name, items: boxesOf(stack) }));
  const heights = stacks.map(({ items }) => new Painter().stack(items, 0, 0).bottom);
  const tallest = Math.max(...heights);
  const several = stacks.length > 1;
  const [above, below] = several ? [ABOVE, BELOW] : [8, 8];
  const painter = new Painter();
  const drawn = stacks.map(({ name, items }, at) => {
    const top = above + tallest - heights[at]!;
    if (several) painter.text(name, at * (WIDTH + GAP) + MIDDLE, above + tallest + 22, "box-title");
    return { top, ...painter.stack(items, at * (WIDTH + GAP), top) };
  });
  const { head } = spec.stacks[0]!;
  if (spec.stacks.some(looksAcross)) painter.cross(drawn[0]!, drawn[1]!);
  if (head.type === "embedding" && head.matching) painter.match(drawn.map(({ top }) => top), head.matching.bias);
  const width = stacks.length * (WIDTH + GAP) - GAP;
  const picture = create("svg", { viewBox: `0 0 ${width} ${above + tallest + below}`, role: "img", "aria-label": label, class: "diagram" });
  picture.style.setProperty("--stacks", String(stacks.length));
  picture.append(arrowHead(), painter.group);
  return picture;
}

function create<K extends keyof SVGElementTagNameMap>(tag: K, attributes: Record<string, string | number> = {}): SVGElementTagNameMap[K] {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return element;
}

function arrowHead(): SVGElement {
  const marker = create("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto-start-reverse" });
  marker.append(create("path", { d: "M0 0 L8 4 L0 8 z", class: "arrow-head" }));
  const definitions = create("defs");
  definitions.append(marker);
  return definitions;
}

class Painter {
  readonly group = create("g");
  private crossings: { x: number; y: number }[] = [];

  /** A stack whose left edge is at `left` and whose top is at `top`. */
  stack(items: Item[], left: number, top: number): Drawn {
    this.crossings = [];
    const width = WIDTH - SKIP - MARGIN;
    const bottom = this.items(items, { middle: left + MIDDLE, width }, top);
    return { bottom, crossings: this.crossings };
  }

  /** From the encoder's top to each cross-attention. */
  cross(encoder: { top: number }, decoder: Drawn): void {
    const between = WIDTH + GAP / 2;
    const y = encoder.top - 24;
    for (const crossing of decoder.crossings) this.path(`M${MIDDLE} ${encoder.top} V${y} H${between} V${crossing.y} H${crossing.x - 2}`, true, "crossing");
  }

  /** What compares the towers' vectors. */
  match(tops: number[], bias: boolean): void {
    const width = tops.length * (WIDTH + GAP) - GAP;
    const box = boxOf("Cosine of both vectors", [`× a learned factor${bias ? ", and a learned bias: each pair by itself" : ": softmax over what is compared"}`]);
    const bottom = this.box(box, { middle: width / 2, width: WIDTH - SKIP - MARGIN }, 2);
    for (const [at, top] of tops.entries()) {
      const x = at * (WIDTH + GAP) + MIDDLE;
      const aim = width / 2 + (at === 0 ? -60 : 60);
      const turn = bottom + 10;
      this.path(`M${x} ${top} V${turn} H${aim} V${bottom + 2}`, true);
    }
  }

  /** Items below each other, with arrows that point up. Returns the bottom. */
  private items(items: Item[], column: Column, top: number): number {
    let y = top;
    for (const [at, item] of items.entries()) {
      if (at > 0) {
        const into = items[at - 1]!;
        const fork = into.kind === "sum" && into.skip;
        this.path(`M${column.middle} ${y + ARROW} V${fork ? y : y + 2}`, !fork);
        y += ARROW;
      }
      y = this.item(item, column, y);
    }
    return y;
  }

  private item(item: Item, column: Column, top: number): number {
    switch (item.kind) {
      case "box": return this.box(item, column, top);
      case "sum": return this.sum(item, column, top);
      case "frame": return this.frame(item, column, top);
    }
  }

  private box({ tone, title, lines, crossing }: Box, column: Column, top: number): number {
    const middle = column.middle;
    const width = tone === "norm" ? Math.min(column.width, 220) : column.width;
    const room = Math.floor((width - 16) / LETTER);
    const words = lines.flatMap((line) => wrap(line, room));
    const height = 30 + LINE * words.length;
    const left = middle - width / 2;
    this.group.append(create("rect", { x: left, y: top, width, height, rx: 8, class: `box ${tone}` }));
    this.text(title, middle, top + 20, "box-title");
    for (const [at, line] of words.entries()) this.text(line, middle, top + 20 + LINE * (at + 1), "box-line");
    if (crossing) this.crossings.push({ x: left, y: top + height / 2 });
    return top + height;
  }

  private sum({ columns, below, skip }: Sum, column: Column, top: number): number {
    const { middle, width } = column;
    const plus = top + RADIUS;
    const places = this.places(columns.length, column, skip ? 1 : 1.75);
    const heights = columns.map((items, at) => new Painter().items(items, places[at]!, 0));
    const bends = columns.length > 1 ? 10 : 0;
    const start = plus + RADIUS + ARROW + bends;
    const end = start + Math.max(...heights);
    for (const [at, items] of columns.entries()) {
      const place = places[at]!;
      const from = end - heights[at]!;
      this.items(items, place, from);
      this.path(place.middle === middle ? `M${middle} ${from} V${plus + RADIUS + 1}` : `M${place.middle} ${from} V${start - bends} H${middle} V${plus + RADIUS + 1}`, true);
    }
    this.plus(middle, plus);
    if (!skip) return end;
    let bottom = end + ARROW + bends;
    for (const place of places) {
      this.path(place.middle === middle ? `M${middle} ${bottom} V${end + 2}` : `M${middle} ${bottom} V${end + ARROW} H${place.middle} V${end + 2}`, true);
    }
    if (below.length > 0) {
      bottom = this.items(below, { middle, width: Math.min(width, 180) }, bottom) + ARROW;
      this.path(`M${middle} ${bottom} V${bottom - ARROW + 2}`, true);
    }
    const past = middle - width / 2 - 22;
    this.path(`M${middle} ${bottom} H${past} V${plus} H${middle - RADIUS - 1}`, true, "skip");
    return bottom;
  }

  /** Columns beside each other, the first `first` times as wide as the others. */
  private places(count: number, { middle, width }: Column, first: number): Column[] {
    const gap = 10;
    const unit = (width - gap * (count - 1)) / (count > 1 ? first + count - 1 : 1);
    let left = middle - width / 2;
    return Array.from({ length: count }, (_, at) => {
      const own = at === 0 && count > 1 ? first * unit : unit;
      const place = { middle: left + own / 2, width: own };
      left += own + gap;
      return place;
    });
  }

  private plus(x: number, y: number): void {
    this.group.append(create("circle", { cx: x, cy: y, r: RADIUS, class: "plus" }));
    this.path(`M${x - 5} ${y} H${x + 5} M${x} ${y - 5} V${y + 5}`, false);
  }

  private frame({ label, items }: Frame, column: Column, top: number): number {
    const { middle, width } = column;
    const left = middle - width / 2 - SKIP + 6;
    const inside = top + 26;
    // Behind its content, so it is put there first and measured later.
    const rect = create("rect", { x: left, y: top, width: width + SKIP + MARGIN - 12, rx: 14, class: "repeated" });
    this.group.append(rect);
    this.text(label, left + 12, top + 22, "box-title repeat");
    const bottom = this.items(items, column, inside);
    rect.setAttribute("height", String(bottom + 14 - top));
    this.path(`M${middle} ${inside} V${top}`, false);
    this.path(`M${middle} ${bottom + 14} V${bottom}`, false);
    return bottom + 14;
  }

  private path(d: string, arrow: boolean, kind = ""): void {
    this.group.append(create("path", { d, class: `wire ${kind}`, ...(arrow && { "marker-end": "url(#arrow)" }) }));
  }

  text(words: string, x: number, y: number, kind: string): void {
    const text = create("text", { x, y, class: kind });
    text.textContent = words;
    this.group.append(text);
  }
}

const boxOf = (title: string, lines: string[]): Box => ({ kind: "box", tone: "plain", title, lines });

/** Lines of at most `room` letters, as far as words allow. */
function wrap(line: string, room: number): string[] {
  const lines: string[] = [];
  for (const word of line.split(" ")) {
    const last = lines[lines.length - 1];
    if (last !== undefined && last.length + 1 + word.length <= room) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
