// The passages that are nearest to what was asked, with bars.

import { byId, make } from "./dom.js";
import type { Passage } from "./passages.js";

/** A passage and its cosine with the query. */
export interface Hit {
  passage: Passage;
  score: number;
}

const MOST_HITS = 8;
const list = byId("hits", HTMLElement);

/** The nearest passages, the nearest first. */
export function nearest(passages: Passage[], scores: (number | undefined)[]): Hit[] {
  return passages
    .flatMap((passage, at) => (scores[at] === undefined ? [] : [{ passage, score: scores[at] }]))
    .sort((a, b) => b.score - a.score)
    .slice(0, MOST_HITS);
}

/** Shows them, with the words of the query marked; `choose` is called with one that is pressed. */
export function showHits(hits: Hit[], query: string, choose: (passage: Passage) => void): void {
  const words = new Set(wordsOf(query).map(({ word }) => word));
  list.dataset["query"] = query;
  list.replaceChildren(...hits.map(({ passage, score }) => {
    const item = make("li");
    const button = make("button", "hit");
    button.type = "button";
    button.title = "Show it in the text";
    const bar = make("span", "bar");
    bar.style.setProperty("--part", String(Math.max(0, score)));
    button.append(marked(passage.text, words), make("span", "score numbers", score.toFixed(2)), bar);
    button.addEventListener("click", () => choose(passage));
    item.append(button);
    return item;
  }));
}

/** The words that the query has too. Often there are none: it is found by what it means. */
function marked(text: string, words: Set<string>): HTMLElement {
  const element = make("span", "text");
  element.dir = "auto";
  let done = 0;
  for (const { word, index, length } of wordsOf(text)) {
    if (!words.has(word)) continue;
    element.append(text.slice(done, index), make("mark", "", text.slice(index, index + length)));
    done = index + length;
  }
  element.append(text.slice(done));
  return element;
}

/** Words of five letters and more, in small letters: the shorter ones are in every sentence. */
function wordsOf(text: string): { word: string; index: number; length: number }[] {
  return [...text.matchAll(/\p{L}{5,}/gu)].map(({ 0: word, index }) => ({ word: word.toLowerCase(), index, length: word.length }));
}
