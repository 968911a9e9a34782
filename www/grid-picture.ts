// A grid of numbers as a picture: pale for 0, the accent for 1. A pointer or the arrow keys ask a cell what it is; behind it is a
// table for who reads rather than looks.

import { make } from "./dom.js";

export interface GridContent {
  rows: number;
  columns: number;
  /** Row by row, 0 to 1; what is outside is drawn as the nearest. */
  values: ArrayLike<number>;
  /** What a cell says. */
  describe(row: number, column: number): string;
  /** What stands at the rows and columns, where there is room. */
  labels?: { rows: string[]; columns: string[] };
}

/** Where the cells lie, in pixels of the screen. */
interface Frame {
  left: number;
  top: number;
  cell: number;
}

/** Cells smaller than this carry no labels. */
const READABLE = 11;
/** The most of the width that labels may take. */
const MARGIN = 0.25;
/** So many of a row's largest cells are in the table. */
const TOLD = 3;
const MOVES: Record<string, [number, number]> = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

export class GridPicture {
  private readonly context: CanvasRenderingContext2D;
  private content: GridContent | undefined;
  private frame: Frame = { left: 0, top: 0, cell: 1 };
  private selected: [number, number] | undefined;
  private waiting = 0;
  private readonly table = make("details", "grid-table");

  /** `info` says what the cell is that was asked, and before that `hint`. */
  constructor(
    readonly canvas: HTMLCanvasElement,
    private readonly info: HTMLElement,
    private readonly hint: string,
  ) {
    this.context = canvas.getContext("2d")!;
    new ResizeObserver(() => this.changed()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.changed());
    for (const kind of ["pointermove", "pointerdown"] as const) canvas.addEventListener(kind, (event) => this.point(event));
    canvas.addEventListener("keydown", (event) => this.walk(event));
    this.table.append(make("summary", "", "As a table"));
    this.table.hidden = true;
    this.table.addEventListener("toggle", () => this.fillTable());
    info.after(this.table);
  }

  /** Shows another grid. The cell that was asked last stays so, where there is still one. */
  show(content: GridContent | undefined): void {
    this.content = content;
    const { selected } = this;
    if (!content || !selected || selected[0] >= content.rows || selected[1] >= content.columns) this.selected = undefined;
    if (content) this.canvas.tabIndex = 0;
    else this.canvas.removeAttribute("tabindex");
    // Of a picture a screen reader keeps the arrow keys for itself.
    this.canvas.setAttribute("role", content ? "application" : "img");
    this.table.hidden = !content;
    this.fillTable();
    this.describe();
    this.changed();
  }

  private describe(): void {
    const { content, selected } = this;
    this.info.textContent = !content ? "" : selected ? content.describe(...selected) : this.hint;
  }

  /** Of each row its largest cells, in words, once somebody wants to read them. */
  private fillTable(): void {
    const { content, table } = this;
    table.querySelector("table")?.remove();
    if (!content || !table.open) return;
    const { rows, columns, values, describe } = content;
    const body = make("tbody");
    for (let row = 0; row < rows; row++) {
      const order = Array.from({ length: columns }, (_, column) => column)
        .sort((a, b) => values[row * columns + b]! - values[row * columns + a]!);
      const line = make("tr");
      const name = make("th", "", String(row + 1));
      name.setAttribute("scope", "row");
      line.append(name, ...order.slice(0, TOLD).map((column) => make("td", "", describe(row, column))));
      body.append(line);
    }
    const made = make("table");
    made.append(make("caption", "quiet", `Of each row the ${Math.min(TOLD, columns)} largest`), body);
    table.append(made);
  }

  private select(row: number, column: number): void {
    const { content, selected } = this;
    if (!content || (selected?.[0] === row && selected[1] === column)) return;
    this.selected = [row, column];
    this.describe();
    this.changed();
  }

  private point(event: PointerEvent): void {
    const { content, frame: { left, top, cell } } = this;
    const box = this.canvas.getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left - left) / cell);
    const row = Math.floor((event.clientY - box.top - top) / cell);
    if (content && row >= 0 && row < content.rows && column >= 0 && column < content.columns) this.select(row, column);
  }

  private walk(event: KeyboardEvent): void {
    const move = MOVES[event.key];
    const { content } = this;
    if (!move || !content) return;
    event.preventDefault();
    const [row, column] = this.selected ?? [-move[0], -move[1]]; // the first step goes to the first cell
    const within = (at: number, length: number) => Math.min(length - 1, Math.max(0, at));
    this.select(within(row + move[0], content.rows), within(column + move[1], content.columns));
  }

  private changed(): void {
    this.waiting ||= requestAnimationFrame(() => this.draw());
  }

  private draw(): void {
    this.waiting = 0;
    const { canvas, context, content } = this;
    const width = canvas.clientWidth;
    if (width === 0) return;
    const style = getComputedStyle(canvas);
    context.font = `12px ${style.fontFamily}`;
    const gutter = content?.labels ? this.gutter(content.labels, width) : 0;
    const cell = content ? (width - gutter) / content.columns : 1;
    const labelled = cell >= READABLE && gutter > 0;
    this.frame = labelled ? { left: gutter, top: gutter, cell } : { left: 0, top: 0, cell: content ? width / content.columns : 1 };
    const height = content ? this.frame.top + content.rows * this.frame.cell : 0;
    // The height follows from the width: setting it may not ask for another drawing.
    if (Math.round(canvas.clientHeight) !== Math.round(height)) canvas.style.height = `${height}px`;
    canvas.width = Math.max(1, Math.round(width * devicePixelRatio));
    canvas.height = Math.max(1, Math.round(height * devicePixelRatio));
    context.scale(devicePixelRatio, devicePixelRatio);
    if (!content) return;
    this.drawCells(content, style.color);
    if (labelled) this.drawLabels(content.labels!, style);
    if (this.selected) this.drawSelected(content, this.selected, style.color);
  }

  private drawCells({ rows, columns, values }: GridContent, color: string): void {
    const { left, top, cell } = this.frame;
    this.context.imageSmoothingEnabled = false;
    this.context.drawImage(gridCanvas(rows, columns, values, color), left, top, columns * cell, rows * cell);
  }

  /** The room that the longest label takes. */
  private gutter({ rows, columns }: { rows: string[]; columns: string[] }, width: number): number {
    const longest = Math.max(0, ...[...rows, ...columns].map((label) => this.context.measureText(label).width));
    return Math.min(longest + 8, width * MARGIN);
  }

  private drawLabels({ rows, columns }: { rows: string[]; columns: string[] }, style: CSSStyleDeclaration): void {
    const { context, frame: { left, top, cell } } = this;
    context.font = `12px ${style.fontFamily}`;
    context.fillStyle = style.getPropertyValue("--ink");
    context.textBaseline = "middle";
    context.textAlign = "right";
    for (const [row, label] of rows.entries()) context.fillText(label, left - 5, top + (row + 0.5) * cell, left - 6);
    context.textAlign = "left";
    for (const [column, label] of columns.entries()) {
      context.save();
      context.translate(left + (column + 0.5) * cell, top - 5);
      context.rotate(-Math.PI / 2);
      context.fillText(label, 0, 0, top - 6);
      context.restore();
    }
  }

  /** The cell in a frame, its row and column between lines. */
  private drawSelected({ rows, columns }: GridContent, [row, column]: [number, number], color: string): void {
    const { context, frame: { left, top, cell } } = this;
    context.strokeStyle = color;
    context.globalAlpha = 0.5;
    context.strokeRect(left, top + row * cell, columns * cell, cell);
    context.strokeRect(left + column * cell, top, cell, rows * cell);
    context.globalAlpha = 1;
    context.lineWidth = 2;
    context.strokeRect(left + column * cell, top + row * cell, cell, cell);
  }
}

/** A pixel for each cell, 0 to 1: how much there is of `color`, which is written as rgb(…). */
export function gridCanvas(rows: number, columns: number, values: ArrayLike<number>, color: string): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = columns;
  canvas.height = rows;
  const [red, green, blue] = color.match(/\d+/g)!.map(Number) as [number, number, number];
  const image = new ImageData(columns, rows);
  for (let at = 0; at < rows * columns; at++) image.data.set([red, green, blue, 255 * Math.min(1, Math.max(0, values[at]!))], 4 * at);
  canvas.getContext("2d")!.putImageData(image, 0, 0);
  return canvas;
}
