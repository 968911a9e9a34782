// The picture on the page and what lies over it: a map of colours, the model's patches, marks.

import { byId } from "./dom.js";

/** A rectangle, in pixels of the picture. */
export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** A map of colours over part of the picture. */
export interface Overlay {
  image: ImageData;
  at: Box;
  /** Whether its pixels run into each other, or are windows with edges. */
  smooth: boolean;
}

export interface Grid {
  rows: number;
  columns: number;
  at: Box;
}

/** Fewer than this many of the screen's pixels for one of the picture: then it is drawn without inventing any between. */
const COARSE = 3;

export class Stage {
  readonly canvas = byId("canvas", HTMLCanvasElement);
  private readonly context = this.canvas.getContext("2d")!;
  private picture: ImageBitmap | undefined;
  private overlay: { canvas: OffscreenCanvas; at: Box; smooth: boolean } | undefined;
  private grid: Grid | undefined;
  private crossed: Box[] = [];
  private outlined: Box | undefined;
  private strength = 0.8;
  private frame = 0;

  constructor() {
    new ResizeObserver(() => this.changed()).observe(this.canvas);
  }

  /** Shows a picture, with nothing over it. */
  show(picture: ImageBitmap): void {
    this.picture = picture;
    this.overlay = this.outlined = undefined;
    this.crossed = [];
    // A strip would leave nothing to point at.
    const ratio = Math.min(6, Math.max(1 / 6, picture.width / picture.height));
    this.canvas.style.setProperty("--ratio", String(ratio));
    this.changed();
  }

  setOverlay(overlay: Overlay | undefined): void {
    this.overlay = undefined;
    if (overlay) {
      const canvas = new OffscreenCanvas(overlay.image.width, overlay.image.height);
      canvas.getContext("2d")!.putImageData(overlay.image, 0, 0);
      this.overlay = { canvas, at: overlay.at, smooth: overlay.smooth };
    }
    this.changed();
  }

  setStrength(strength: number): void {
    this.strength = strength;
    this.changed();
  }

  setGrid(grid: Grid | undefined): void {
    this.grid = grid;
    this.changed();
  }

  /** Crosses out some boxes. */
  cross(boxes: Box[]): void {
    this.crossed = boxes;
    this.changed();
  }

  /** Draws a frame around a box. */
  outline(box: Box | undefined): void {
    this.outlined = box;
    this.changed();
  }

  /** Whether arrow keys walk over it: of a picture a screen reader keeps them for itself. */
  setWalkable(walkable: boolean): void {
    if (walkable) this.canvas.tabIndex = 0;
    else this.canvas.removeAttribute("tabindex");
    this.canvas.setAttribute("role", walkable ? "application" : "img");
  }

  /** Where in the picture a pointer is. */
  locate(event: PointerEvent): { x: number; y: number } {
    const { left, top, width, height } = this.canvas.getBoundingClientRect();
    const x = ((event.clientX - left) / width) * (this.picture?.width ?? 0);
    return { x, y: ((event.clientY - top) / height) * (this.picture?.height ?? 0) };
  }

  private changed(): void {
    this.frame ||= requestAnimationFrame(() => this.draw());
  }

  private draw(): void {
    this.frame = 0;
    const { canvas, context, picture } = this;
    if (!picture || canvas.clientWidth === 0) return;
    canvas.width = Math.round(canvas.clientWidth * devicePixelRatio);
    canvas.height = Math.round(canvas.clientHeight * devicePixelRatio);
    const [across, down] = [canvas.width / picture.width, canvas.height / picture.height];
    context.setTransform(across, 0, 0, down, 0, 0); // from here on in pixels of the picture
    context.imageSmoothingQuality = "high";
    context.imageSmoothingEnabled = across < COARSE;
    context.drawImage(picture, 0, 0);
    if (this.grid ?? this.overlay?.smooth) this.dim((this.grid ?? this.overlay)!.at);
    if (this.overlay) this.drawOverlay(this.overlay);
    const line = devicePixelRatio / Math.min(across, down);
    if (this.grid) this.drawGrid(this.grid, line);
    this.drawMarks(line);
  }

  private drawOverlay({ canvas, at, smooth }: NonNullable<typeof this.overlay>): void {
    const { context } = this;
    context.globalAlpha = this.strength;
    context.imageSmoothingEnabled = smooth;
    context.drawImage(canvas, at.x, at.y, at.width, at.height);
    context.globalAlpha = 1;
  }

  /** What the model does not see stands back. */
  private dim(seen: Box): void {
    const { context, picture } = this;
    const path = new Path2D();
    path.rect(0, 0, picture!.width, picture!.height);
    path.rect(seen.x, seen.y, seen.width, seen.height);
    context.fillStyle = "rgb(0 0 0 / 0.55)";
    context.fill(path, "evenodd");
  }

  private drawGrid({ rows, columns, at }: Grid, line: number): void {
    const path = new Path2D();
    for (let column = 0; column <= columns; column++) {
      const x = at.x + (column * at.width) / columns;
      path.moveTo(x, at.y);
      path.lineTo(x, at.y + at.height);
    }
    for (let row = 0; row <= rows; row++) {
      const y = at.y + (row * at.height) / rows;
      path.moveTo(at.x, y);
      path.lineTo(at.x + at.width, y);
    }
    this.stroke(path, line);
  }

  private drawMarks(line: number): void {
    const crosses = new Path2D();
    for (const { x, y, width, height } of this.crossed) {
      const [left, right, top, bottom] = [x + width * 0.3, x + width * 0.7, y + height * 0.3, y + height * 0.7];
      crosses.moveTo(left, top);
      crosses.lineTo(right, bottom);
      crosses.moveTo(right, top);
      crosses.lineTo(left, bottom);
    }
    this.stroke(crosses, 1.5 * line);
    if (!this.outlined) return;
    const { x, y, width, height } = this.outlined;
    const frame = new Path2D();
    frame.rect(x, y, width, height);
    this.stroke(frame, 2.5 * line);
  }

  /** White within black: seen on any picture. */
  private stroke(path: Path2D, width: number): void {
    const { context } = this;
    context.strokeStyle = "rgb(0 0 0 / 0.65)";
    context.lineWidth = 2.5 * width;
    context.stroke(path);
    context.strokeStyle = "rgb(255 255 255 / 0.95)";
    context.lineWidth = width;
    context.stroke(path);
  }
}
