// Cutting a text into the passages that are searched.

export type Cutting = "sentences" | "paragraphs";

/** A piece of the text, and where in it. */
export interface Passage {
  text: string;
  start: number;
  end: number;
}

/** Of a longer text the beginning is searched: every pair of passages is compared, and drawn. */
export const MOST_PASSAGES = 400;
/** In characters. Models read some hundred tokens and cut what is longer without a word. */
const LONGEST = 1000;

/** The passages, in order; `left` counts those past the limit. */
export function passagesOf(text: string, cutting: Cutting): { passages: Passage[]; left: number } {
  const all = paragraphs(text)
    .flatMap((paragraph) => (cutting === "sentences" ? sentences(paragraph) : [paragraph]))
    .flatMap(pieces)
    .map(trimmed)
    .filter((passage) => /[\p{L}\p{N}]/u.test(passage.text));
  return { passages: all.slice(0, MOST_PASSAGES), left: Math.max(0, all.length - MOST_PASSAGES) };
}

/** Blank lines part paragraphs; where there are none, each line is one. Lines within one run on. */
function paragraphs(text: string): Passage[] {
  const normal = text.replace(/[\r\t]/g, " ");
  const apart = /\n *\n/.test(normal.trim()) ? /\n *\n[\n ]*/g : /\n/g;
  const found: Passage[] = [];
  let start = 0;
  for (const { index, 0: gap } of [...normal.matchAll(apart), { index: text.length, 0: "" }]) {
    found.push({ text: normal.slice(start, index).replaceAll("\n", " "), start, end: index });
    start = index + gap.length;
  }
  return found;
}

const segmenter = new Intl.Segmenter("en", { granularity: "sentence" });

function sentences({ text, start }: Passage): Passage[] {
  return [...segmenter.segment(text)].map(({ segment, index }) => ({
    text: segment, start: start + index, end: start + index + segment.length,
  }));
}

/** A passage in pieces that are short enough, cut between words where there is a gap. */
function pieces({ text, start, end }: Passage): Passage[] {
  if (text.length <= LONGEST) return [{ text, start, end }];
  const gap = text.lastIndexOf(" ", LONGEST);
  const at = gap > LONGEST / 2 ? gap : LONGEST;
  return [
    { text: text.slice(0, at), start, end: start + at },
    ...pieces({ text: text.slice(at), start: start + at, end }),
  ];
}

function trimmed({ text, start }: Passage): Passage {
  const inner = text.trim();
  const from = start + (text.length - text.trimStart().length);
  return { text: inner, start: from, end: from + inner.length };
}
