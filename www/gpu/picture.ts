// The picture to share: which GPU, right or wrong, how fast, and where the time goes. Paper, ink and the blue of the tiles.

import * as format from "../format.js";
import { nameOf } from "./adapter.js";
import { bandwidthShare, overall, tallyFamilies, tallyKernels, verdictOf, type Report, type Tally } from "./report.js";
import type { Step } from "./speed.js";

const WIDTH = 1200, HEIGHT = 675, MARGIN = 64;
/** The light scheme's, so that a picture looks the same wherever it was made. */
const COLOUR = { paper: "#f7f9fc", card: "#ffffff", ink: "#16202e", quiet: "#54627a", line: "#d5dde9", accent: "#1d4f9f", wash: "#e3ecf9", danger: "#a3241c" };
const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif';
/** Kernels with a bar of their own. */
const BARS = 6;

/** Draws on a canvas, which becomes as large as the picture; its words for those who do not see it are the result. */
export async function drawPicture(canvas: HTMLCanvasElement, report: Report): Promise<string> {
  const tile = await loadTile();
  canvas.width = WIDTH;
  canvas.height = HEIGHT;
  const pen = canvas.getContext("2d")!;
  pen.fillStyle = COLOUR.paper;
  pen.fillRect(0, 0, WIDTH, HEIGHT);
  for (let x = 0; x < WIDTH; x += 40) pen.drawImage(tile, x, 0, 40, 40);
  rectangle(pen, 0, 40, WIDTH, 4, COLOUR.accent);
  const name = nameOf(report.adapter);
  text(pen, name, MARGIN, 116, { size: 46, weight: 700, width: WIDTH - 2 * MARGIN });
  text(pen, subtitle(report), MARGIN, 152, { size: 21, colour: COLOUR.quiet, width: WIDTH - 2 * MARGIN });
  const badge = drawBadge(pen, report);
  const numbers = drawNumbers(pen, report);
  drawKernels(pen, report);
  text(pen, "azulejo · transformers in the browser, measured in this one", MARGIN, HEIGHT - 26, { size: 20, colour: COLOUR.quiet });
  text(pen, report.date.slice(0, 10), WIDTH - MARGIN, HEIGHT - 26, { size: 20, colour: COLOUR.quiet, align: "right" });
  return [name, badge, ...numbers].join("; ");
}

async function loadTile(): Promise<HTMLImageElement> {
  const image = new Image();
  image.src = new URL("../logo.svg", import.meta.url).href;
  await image.decode();
  return image;
}

interface Ink {
  size: number;
  weight?: number;
  colour?: string;
  align?: CanvasTextAlign;
  /** Text that is wider is made smaller. */
  width?: number;
}

function text(pen: CanvasRenderingContext2D, words: string, x: number, y: number, { size, weight = 400, colour = COLOUR.ink, align = "left", width }: Ink): void {
  pen.font = `${weight} ${size}px ${FONT}`;
  const measured = pen.measureText(words).width;
  if (width !== undefined && measured > width) pen.font = `${weight} ${Math.max(12, Math.floor((size * width) / measured))}px ${FONT}`;
  pen.fillStyle = colour;
  pen.textAlign = align;
  pen.fillText(words, x, y, width);
}

function rectangle(pen: CanvasRenderingContext2D, x: number, y: number, width: number, height: number, colour: string, radius = 0): void {
  pen.fillStyle = colour;
  pen.beginPath();
  pen.roundRect(x, y, width, height, radius);
  pen.fill();
}

function subtitle({ adapter, browser }: Report): string {
  const codes = [adapter.vendor, adapter.architecture].filter(Boolean).join(" / ");
  const subgroups = adapter.subgroups && `subgroups of ${[...new Set(adapter.subgroups)].join(" to ")}`;
  const which = adapter.software ? "software on the processor, no GPU" : codes;
  return [which, subgroups, browserName(browser.userAgent)].filter(Boolean).join(" · ");
}

/** Browser and system, as far as the user agent tells. */
export function browserName(userAgent: string): string {
  const browser = /(Edg|Firefox|OPR|Chrome|Version)\/(\d+)/.exec(userAgent.replace(/Chrome\/(\d+)(.*)(Edg|OPR)\/(\d+)/, "$3/$4"));
  const named = browser && `${{ Edg: "Edge", OPR: "Opera", Version: "Safari" }[browser[1]!] ?? browser[1]} ${browser[2]}`;
  const system = /(Android|iPhone|iPad|Windows|Mac OS X|CrOS|Linux)/.exec(userAgent)?.[1];
  return [named, system && `on ${{ "Mac OS X": "macOS", CrOS: "ChromeOS" }[system] ?? system}`].filter(Boolean).join(" ");
}

const tallied = ({ right, compared, of }: Tally, what: string) =>
  compared > 0 && `${right} of ${compared} ${what}${compared < of ? ` (of ${of})` : ""}`;

function drawBadge(pen: CanvasRenderingContext2D, report: Report): string {
  const [found, words] = [overall(report), verdictOf(report)];
  const sign = { right: "✓", wrong: "✗", unknown: "?" }[found];
  const detail = [tallied(tallyFamilies(report), "families"), tallied(tallyKernels(report), "kernel cases")].filter(Boolean).join(", ");
  rectangle(pen, MARGIN, 184, WIDTH - 2 * MARGIN, 76, found === "wrong" ? "#fbe9e7" : COLOUR.wash, 18);
  const colour = found === "wrong" ? COLOUR.danger : COLOUR.accent;
  text(pen, `${sign}  ${words}`, MARGIN + 28, 233, { size: 32, weight: 700, colour });
  text(pen, detail, WIDTH - MARGIN - 28, 232, { size: 24, colour: COLOUR.quiet, align: "right", width: 620 });
  return `${words}${detail && `, ${detail}`}`;
}

/** The large numbers in a row. */
function drawNumbers(pen: CanvasRenderingContext2D, report: Report): string[] {
  const { rates } = report.speed;
  const found: [number: string, what: string][] = [];
  const decode = rates.find(({ name }) => name === "decode");
  const prefill = [...rates].filter(({ name }) => name.startsWith("prefill")).sort((a, b) => b.perSecond - a.perSecond)[0];
  const share = bandwidthShare(report);
  const { bytesPerSecond } = report.ceilings;
  if (decode) found.push([format.rate(decode.perSecond), "tokens/s written"]);
  if (prefill) found.push([format.rate(prefill.perSecond), `tokens/s read, of ${prefill.tokens}`]);
  if (share !== undefined) found.push([`${Math.round(100 * share)} %`, "of its bandwidth, writing"]);
  if (bytesPerSecond) found.push([`${format.rate(bytesPerSecond / 1e9)} GB/s`, "its memory is read"]);
  const column = (WIDTH - 2 * MARGIN) / Math.max(found.length, 1);
  found.forEach(([number, what], at) => {
    text(pen, number, MARGIN + at * column, 336, { size: 54, weight: 700, colour: COLOUR.accent, width: column - 20 });
    text(pen, what, MARGIN + at * column, 368, { size: 20, colour: COLOUR.quiet, width: column - 20 });
  });
  if (found.length === 0) text(pen, "Its speed was not measured.", MARGIN, 336, { size: 28, colour: COLOUR.quiet });
  return found.map(([number, what]) => `${number} ${what}`);
}

/** Where the time of a written token goes, and how much of each part is needed at the ceilings. */
function drawKernels(pen: CanvasRenderingContext2D, report: Report): void {
  const step = report.speed.steps.find(({ name }) => name === "decode");
  const kernels = step ? kinds(step) : [];
  if (kernels.length === 0) return;
  const all = kernels.reduce((sum, { ms }) => sum + ms, 0);
  text(pen, "Where a token’s time goes; the dark part is what the ceilings ask for", MARGIN, 418, { size: 20, weight: 600 });
  const most = kernels[0]!.ms;
  const [left, width] = [MARGIN + 330, WIDTH - 2 * MARGIN - 330 - 160];
  kernels.slice(0, BARS).forEach(({ kind, ms, needed }, at) => {
    const y = 432 + at * 30;
    text(pen, kind, left - 16, y + 20, { size: 18, align: "right", width: 310 });
    rectangle(pen, left, y + 4, (width * ms) / most, 20, "#a9c4ec", 5);
    rectangle(pen, left, y + 4, (width * Math.min(needed, ms)) / most, 20, COLOUR.accent, 5);
    text(pen, `${Math.round((100 * ms) / all)} %, ${format.quick(ms)}`, WIDTH - MARGIN, y + 20, { size: 18, colour: COLOUR.quiet, align: "right" });
  });
}

/** Kernels that differ by their constants only as one: milliseconds, and of these what the ceilings ask for. */
function kinds({ kernels }: Step): { kind: string; ms: number; needed: number }[] {
  const sums = new Map<string, { kind: string; ms: number; needed: number }>();
  for (const { kernel, ms, share = 0 } of kernels) {
    // "MatrixVector Q4_1 [4, 0, 1]"
    const kind = kernel.replace(/ \[.*\]$/, "").replace(/([a-z])([A-Z])/g, (_, end: string, begin: string) => `${end} ${begin.toLowerCase()}`);
    const sum = sums.get(kind) ?? { kind, ms: 0, needed: 0 };
    sums.set(kind, { kind, ms: sum.ms + ms, needed: sum.needed + share * ms });
  }
  return [...sums.values()].filter(({ ms }) => ms > 0).sort((a, b) => b.ms - a.ms);
}

/** As a PNG. */
export function pngOf(canvas: HTMLCanvasElement): Promise<Blob> {
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("the picture cannot be saved in this browser"))), "image/png");
  });
}
