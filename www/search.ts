// The search view: a text is cut into passages, each becomes a vector, and a query finds the nearest by their cosine.

import { AzulejoError, TextEmbedder } from "./azulejo/index.js";
import { announce, byId } from "./dom.js";
import { download } from "./download.js";
import { hideError, isAbort, showError, type Words } from "./errors.js";
import * as format from "./format.js";
import { GridPicture } from "./grid-picture.js";
import { nearest, showHits, type Hit } from "./hits.js";
import { Latest } from "./latest.js";
import { deviceName } from "./model-card.js";
import { Models } from "./models.js";
import { PassageIndex } from "./passage-index.js";
import { MOST_PASSAGES, passagesOf, type Cutting, type Passage } from "./passages.js";
import { fromDrop, holdsModel, initSources, type Dropped } from "./sources.js";
import { STANDARD } from "./standard.js";
import { isShown } from "./views.js";

const SAMPLE = "samples/facts.txt";
/** In bytes: of a larger file no more would be searched anyway. */
const LARGEST_TEXT = 4e6;

const WORDS: Words = {
  "unsupported-model": ["This kind of model is not supported here", "Try a sentence-transformers model of the BERT, RoBERTa, DistilBERT or ModernBERT family."],
  "corrupt-file": ["The file is damaged, or not what it should be", "Models come as safetensors with config.json and tokenizer.json, texts as plain text."],
  "missing-file": ["A file of the model is missing", "Choose config.json, tokenizer.json and model.safetensors together, or drop their folder."],
  "out-of-memory": ["There is not enough memory for this", "Close other tabs, or take a shorter text or a smaller model."],
  "no-webgpu": ["The graphics processor cannot be used", "The CPU computes the same, only slower."],
  "device-lost": ["The connection to the graphics processor was lost", "Try again."],
  "invalid-argument": ["That cannot be done", "Take another text or query."],
  "disposed": ["The model was unloaded", "Load it again."],
};

const view = byId("search-view", HTMLElement);
const line = byId("search-status", HTMLElement);
const text = byId("search-text", HTMLTextAreaElement);
const query = byId("query", HTMLInputElement);
const count = byId("passage-count", HTMLElement);
const stop = byId("stop-embedding", HTMLButtonElement);
const resume = byId("resume-embedding", HTMLButtonElement);
const progress = byId("embed-progress", HTMLProgressElement);
const timing = byId("embed-timing", HTMLElement);
const cuttings = [byId("by-sentence", HTMLInputElement), byId("by-paragraph", HTMLInputElement)];
const compute = [byId("search-webgpu", HTMLInputElement), byId("search-cpu", HTMLInputElement)];

type State = "empty" | "loading" | "ready" | "working";

/** A screen reader hears each new line of the status. */
function setStatus(state: State, words: string): void {
  view.dataset["state"] = state;
  if (line.textContent !== words) line.textContent = words;
}

/** A query and its vector. */
interface Asked {
  query: string;
  index: PassageIndex;
  vector: Float32Array;
  milliseconds: number;
  /** It was in a queue with passages, and took longer for that. */
  waited: boolean;
}

class Search {
  private readonly models: Models<TextEmbedder>;
  private readonly similarity = new GridPicture(byId("similarity", HTMLCanvasElement), byId("similarity-info", HTMLElement),
    "Point at a cell, or go there with the arrow keys, to see which two it compares.");
  private index: PassageIndex | undefined;
  private passages: Passage[] = [];
  private texts: string[] = [];
  private embedding: AbortController | undefined;
  /** The user stopped the embedding: it goes on when asked to. */
  private stopped = false;
  private readonly asking = new Latest(() => this.answer());
  /** What the query meant, once the model has said so. */
  private asked: Asked | undefined;

  constructor() {
    this.models = new Models<TextEmbedder>({
      prefix: "search-",
      tasks: ["text-embedding", "text-classification", "token-classification"],
      standard: STANDARD.search,
      load: async (source, options) => warm(await TextEmbedder.load(source, options)),
      engineOptions: () => ({ device: compute.find(({ checked }) => checked)?.value as "webgpu" | "cpu" | undefined ?? "auto" }),
      facts: ({ summary }) => [`vectors of ${format.count(summary.width)} numbers`],
      status: setStatus,
      words: WORDS,
      next: "query",
      onLoad: (model) => this.setModel(model),
      onUnload: () => this.setModel(undefined),
    });
    initSources("search-", (choice) => void this.models.open(choice));
    for (const radio of compute) radio.addEventListener("change", () => void this.models.reload().then(() => this.showDevice()));
    for (const each of [text, ...cuttings]) each.addEventListener("input", () => this.cut());
    query.addEventListener("input", () => this.asking.again());
    stop.addEventListener("click", () => this.halt());
    resume.addEventListener("click", () => this.goOn());
    for (const example of document.querySelectorAll<HTMLButtonElement>("[data-query]")) {
      example.addEventListener("click", () => {
        query.value = example.textContent;
        this.asking.again();
      });
    }
    void this.start();
  }

  private async start(): Promise<void> {
    void this.models.ready();
    if (text.value) return this.cut(); // browsers remember what was written before a reload
    try {
      const sample = await (await download(SAMPLE)).text();
      if (!text.value) text.value = sample;
      query.value ||= document.querySelector("[data-query]")?.textContent ?? ""; // so that there is an answer to look at
      this.asking.again();
    } catch (error) {
      showError(error, "", WORDS);
    }
    this.cut();
  }

  /** A folder or the files of a model load it; any other file is a text. */
  async drop(dropped: Dropped): Promise<void> {
    if (await holdsModel(dropped)) return void this.models.open(await fromDrop(dropped));
    const [file] = dropped.files;
    if (!file) return;
    try {
      text.value = await read(file);
      hideError();
      this.cut();
    } catch (error) {
      showError(error, "", WORDS);
    }
  }

  private setModel(model: TextEmbedder | undefined): void {
    this.embedding?.abort();
    this.index = model && new PassageIndex(model);
    this.asked = undefined;
    this.stopped = false;
    this.showDevice();
    this.showIndex();
    void this.embed();
    this.asking.again();
  }

  private showDevice(): void {
    const kind = this.index?.model.engine.device.kind;
    if (!kind) return; // what the user chose counts for the next load
    for (const radio of compute) radio.checked = radio.value === kind;
  }

  /** The text, or how it is to be cut, is another. */
  private cut(): void {
    const cutting = cuttings.find(({ checked }) => checked)!.value as Cutting;
    const { passages, left } = passagesOf(text.value, cutting);
    this.passages = passages;
    this.texts = passages.map((passage) => passage.text);
    count.textContent = `${format.count(passages.length)} ${passages.length === 1 ? "passage" : "passages"}` +
      (left > 0 ? `; ${format.count(left)} more are left out, ${MOST_PASSAGES} are the most` : "");
    this.showIndex();
    this.showHits();
    void this.embed();
  }

  /** Makes the vectors that are missing, until none is: the text may change meanwhile. */
  private async embed(): Promise<void> {
    const { index } = this;
    if (!index || this.embedding || this.stopped) return;
    const abort = (this.embedding = new AbortController());
    try {
      while (index === this.index && !abort.signal.aborted && (await index.step(this.texts, abort.signal))) this.showIndex();
      if (index === this.index) index.keep(this.texts);
    } catch (error) {
      this.stopped = index === this.index; // or it would fail for ever
      if (this.stopped) this.failed(error);
    }
    this.embedding = undefined;
    if (index !== this.index) return void this.embed(); // another model took over
    this.showIndex();
    this.showHits(); // of all passages now, before the query is asked anew
    this.asking.again();
  }

  private halt(): void {
    this.stopped = true;
    this.embedding?.abort();
  }

  private goOn(): void {
    this.stopped = false;
    void this.embed();
    this.showIndex();
    stop.focus();
  }

  /** How far the passages are, and the picture of all of them once they are there. */
  private showIndex(): void {
    const { index, texts } = this;
    const done = index?.count(texts) ?? 0;
    const missing = index !== undefined && done < texts.length;
    const hadFocus = [stop, resume].includes(document.activeElement as HTMLButtonElement);
    stop.hidden = !missing || this.stopped;
    resume.hidden = !missing || !this.stopped;
    progress.hidden = !missing;
    progress.max = Math.max(1, texts.length);
    progress.value = done;
    if (hadFocus) (stop.hidden ? (resume.hidden ? query : resume) : stop).focus();
    if (index) {
      if (stop.hidden) setStatus("ready", missing ? `Stopped at ${done} of ${texts.length} passages` : "Ready");
      else setStatus("working", "Reading the text");
      this.showTiming(index);
    } else timing.textContent = "";
    this.showSimilarity(missing ? undefined : index?.matrix(texts));
  }

  private showTiming({ made, milliseconds, model }: PassageIndex): void {
    const device = deviceName(model.engine.device);
    const size = `${format.count(model.summary.width)} numbers each`;
    timing.textContent = made === 0 ? "" : `${format.quick(milliseconds / made)} a passage · ${size} · ${device}`;
  }

  private showSimilarity(cosines: Float32Array | undefined): void {
    const { passages } = this;
    const shown = cosines !== undefined && passages.length > 1;
    byId("similarity-card", HTMLElement).hidden = !shown;
    const name = (at: number) => `“${shortened(passages[at]!.text)}”`;
    this.similarity.show(shown ? {
      rows: passages.length, columns: passages.length,
      values: cosines.map((cosine) => Math.max(0, cosine) ** 0.7), // few are near 1: the others should be told apart
      describe: (row, column) => `${cosines[row * passages.length + column]!.toFixed(2)}: ${name(row)} and ${name(column)}`,
    } : undefined);
  }

  /** Asks the model what the query means. */
  private async answer(): Promise<void> {
    const { index, asked } = this;
    const words = wanted();
    const waited = this.embedding !== undefined;
    const known = asked?.index === index && asked?.query === words && (waited || !asked.waited);
    if (!index || !words || known) return void this.showHits();
    const started = performance.now();
    try {
      const { data } = await index.model.embed(words, { normalize: true });
      this.asked = { query: words, index, vector: data, milliseconds: performance.now() - started, waited };
    } catch (error) {
      if (index === this.index) this.failed(error);
    }
    const [best] = this.showHits();
    if (best && wanted() === words && isShown("search")) announce(`Nearest: ${best.passage.text}`);
  }

  /** Shows the nearest passages to what was asked last. */
  private showHits(): Hit[] {
    const { index, asked, passages, texts } = this;
    const cost = byId("query-timing", HTMLElement);
    if (!index || !asked || asked.index !== index || !wanted()) {
      showHits([], "", () => {});
      cost.textContent = "";
      return [];
    }
    const started = performance.now();
    const hits = nearest(passages, index.compare(texts, asked.vector));
    const compared = performance.now() - started;
    showHits(hits, asked.query, (passage) => this.showInText(passage));
    cost.textContent = `${format.quick(asked.milliseconds)} for the query · ${format.quick(compared)} to compare it with ${format.count(texts.length)} passages`;
    return hits;
  }

  private showInText({ start, end }: Passage): void {
    text.focus();
    text.setSelectionRange(start, end);
    // Browsers scroll to a caret, not to a selection: about where it is in the text, is where it is in the box.
    text.scrollTop = (start / text.value.length) * text.scrollHeight - text.clientHeight / 3;
  }

  private failed(error: unknown): void {
    if (!isAbort(error)) showError(error, "", WORDS);
  }
}

/** What is looked for. */
const wanted = () => query.value.trim();

/** The first query should not have to wait for what is made once. */
async function warm(model: TextEmbedder): Promise<TextEmbedder> {
  await model.embed("warm");
  return model;
}

function shortened(words: string): string {
  return words.length <= 70 ? words : `${words.slice(0, words.lastIndexOf(" ", 68) > 0 ? words.lastIndexOf(" ", 68) : 68)} …`;
}

/** A file's text; refused where it is none. */
async function read(file: File): Promise<string> {
  if (file.size > LARGEST_TEXT) {
    throw new AzulejoError("invalid-argument", `${file.name} has ${format.bytes(file.size)}; at most ${format.bytes(LARGEST_TEXT)} of text are taken`);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
  } catch (cause) {
    throw new AzulejoError("corrupt-file", `${file.name} is no text in UTF-8`, undefined, { cause });
  }
}

let search: Search | undefined;

/** Opens the view; the second time it is as it was. */
export function startSearch(): void {
  search ??= new Search();
}

/** A drop while the view is shown. */
export function dropOnSearch(dropped: Dropped): void {
  startSearch();
  void search?.drop(dropped);
}
