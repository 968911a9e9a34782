// A model on a server that speaks OpenAI's API: texts, vectors of texts, and how well documents answer a question.

import type { CallOptions } from "../page/connection.js";
import type { TakesOf } from "../page/model.js";
import { AzulejoError, invalid } from "../shared/errors.js";
import type { Calls, WireText } from "../shared/protocol.js";
import type { Classification, ModelSummary, RemoteOptions, TensorF32 } from "../shared/types.js";
import { Answer } from "./answer.js";
import { dialectOf, type Dialect } from "./dialects.js";
import { Http } from "./http.js";
import { lacking, requestOf } from "./request.js";
import { ServerModel, type Answers } from "./server-model.js";

/** What stands here whatever is asked of a model. */
interface Place {
  http: Http;
  model: string;
  dialect: Dialect;
}

interface Listed {
  data?: { id?: unknown; owned_by?: unknown }[];
}

/** Asks the server what it has. Rejects with "missing-file" where the model is not there, or several are and none is named. */
export async function openaiModel(options: RemoteOptions, signal?: AbortSignal, summary?: ModelSummary): Promise<ServerModel> {
  const http = new Http(String(options.url), options.headers);
  const { data } = await http.json<Listed>("/models", undefined, signal);
  const listed = Array.isArray(data) ? data : [];
  const names = listed.map(({ id }) => String(id));
  if (options.model === undefined && names.length !== 1) throw missing(http, `\`model\` should say which: there are ${names.join(", ") || "none"}`);
  const model = options.model ?? names[0]!;
  const found = listed[names.indexOf(model)];
  if (found === undefined) throw missing(http, `there is no model ${JSON.stringify(model)}: there are ${names.join(", ") || "none"}`);
  const dialect = dialectOf(found.owned_by);
  const loaded = { vectorWidth: 0, labels: ["LABEL_0"] };
  const why = summary?.why;
  const server = { url: http.url, model, software: dialect.software, ...(why !== undefined && { why }) };
  return new ServerModel(server, answersOf({ http, model, dialect }, loaded), loaded, summary);
}

const missing = ({ url }: Http, why: string) => new AzulejoError("missing-file", `${url}: ${why}`);

function answersOf(place: Place, loaded: { vectorWidth: number }): Answers {
  // The server keeps what its prompts begin with, or does not: of a session there is its length alone.
  const lengths = new Map<number, number>();
  return {
    generate: async (takes, options) => {
      const made = await generate(place, takes, options);
      if (takes.session !== undefined) lengths.set(takes.session, made.sessionLength!);
      return made;
    },
    openSession: async ({ session }) => void lengths.set(session, 0),
    cloneSession: async ({ session, of }) => {
      lengths.set(session, lengths.get(of)!);
      return lengths.get(of)!;
    },
    disposeSession: async ({ session }) => void lengths.delete(session),
    embed: async (takes, options) => {
      const vectors = await embed(place, takes, options);
      loaded.vectorWidth = vectors.dims[1]!;
      return vectors;
    },
    classifyTexts: (takes, options) => rerank(place, takes, options),
  };
}

async function generate({ http, model, dialect }: Place, takes: TakesOf<"generate">, { signal, onTokens }: CallOptions): Promise<Calls["generate"]["gives"]> {
  const { path, body } = requestOf(takes, model, dialect);
  const answer = new Answer(takes.options.logprobs);
  let isAborted = false;
  try {
    for await (const chunk of http.stream(path, body, signal!)) {
      const tokens = answer.read(chunk);
      if (tokens.length > 0) onTokens?.(tokens);
    }
    if (!answer.isWhole) throw new AzulejoError("network", `${http.url}${path}: the answer broke off before its end`);
  } catch (error) {
    // What was made stays.
    if (!signal!.aborted) throw error;
    isAborted = true;
  }
  const result = answer.result(isAborted);
  const { promptTokens, generatedTokens } = result.stats;
  return { result, ...(takes.session !== undefined && { sessionLength: promptTokens + generatedTokens }) };
}

interface Embedded {
  data?: { index?: number; embedding?: unknown }[];
}

async function embed({ http, model, dialect }: Place, takes: TakesOf<"embed">, { signal }: CallOptions): Promise<TensorF32> {
  const { texts, pooling, promptName, prompt = "", normalize = true } = takes;
  if (pooling !== undefined) throw lacking("pooling, which is the server's choice,", dialect);
  if (promptName !== undefined) throw lacking("promptName", dialect);
  if (!normalize && dialect.unnormalized === undefined) throw lacking("normalize: false", dialect);
  const how = { model, input: inputOf(texts, prompt, dialect), encoding_format: "float", ...(!normalize && dialect.unnormalized) };
  const { data } = await http.json<Embedded>("/embeddings", how, signal);
  const rows = inOrder(data, texts.length, ({ embedding }) => embedding, http, "/embeddings");
  const width = (rows[0] as ArrayLike<number>).length;
  const vectors = new Float32Array(rows.length * width);
  for (const [at, row] of rows.entries()) {
    if (!Array.isArray(row) || row.length !== width || !row.every((value) => typeof value === "number"))
      throw unexpected(http, "/embeddings", "a vector for each text, all of one length");
    vectors.set(normalize ? unit(row as number[]) : (row as number[]), at * width);
  }
  return { data: vectors, dims: [rows.length, width] };
}

/** Texts, or ids: the API takes no list of both. */
function inputOf(texts: WireText[], prompt: string, dialect: Dialect): string[] | number[][] {
  const isIds = typeof texts[0] !== "string";
  if (texts.some((text) => (typeof text !== "string") !== isIds)) throw invalid("texts and token ids together: not to be had of a server in one call");
  if (!isIds) return texts.map((text) => prompt + (text as string));
  if (!dialect.ids) throw lacking("token ids in place of texts", dialect);
  return texts.map((text) => [...(text as Uint32Array)]);
}

/** Servers may do it, or not. */
function unit(vector: number[]): number[] {
  const length = Math.hypot(...vector);
  return length > 0 ? vector.map((value) => value / length) : vector;
}

interface Reranked {
  results?: { index?: number; relevance_score?: unknown }[];
}

/** Jina's and Cohere's form, which vLLM and llama.cpp speak. Pairs of one question after the other go together. */
async function rerank({ http, model, dialect }: Place, { texts }: TakesOf<"classifyTexts">, { signal }: CallOptions): Promise<Classification[][]> {
  if (dialect.software !== "vLLM" && dialect.software !== "llama.cpp") throw lacking("reranking", dialect);
  const questions: { query: string; documents: string[] }[] = [];
  for (const pair of texts) {
    if (typeof pair === "string") throw lacking("classes of single texts: reranking takes pairs, of a question and a document,", dialect);
    const [query, document] = pair;
    const last = questions.at(-1);
    if (last?.query === query) last.documents.push(document);
    else questions.push({ query, documents: [document] });
  }
  const scores: Classification[][] = [];
  for (const { query, documents } of questions) {
    const { results } = await http.json<Reranked>("/rerank", { model, query, documents, top_n: documents.length }, signal);
    const found = inOrder(results, documents.length, ({ relevance_score: score }) => score, http, "/rerank");
    for (const score of found) {
      if (typeof score !== "number") throw unexpected(http, "/rerank", "a score for each document");
      scores.push([{ label: "LABEL_0", index: 0, score }]);
    }
  }
  return scores;
}

/** What each entry has, one for each of `count`, by their own numbers. */
function inOrder<T extends { index?: number }>(entries: T[] | undefined, count: number, of: (entry: T) => unknown, http: Http, path: string): unknown[] {
  const found: unknown[] = [];
  for (const [at, entry] of (Array.isArray(entries) ? entries : []).entries()) {
    const index = entry?.index ?? at;
    if (Number.isInteger(index)) found[index] = entry && of(entry);
  }
  if (found.length !== count || Array.from(found).some((each) => each == null)) throw unexpected(http, path, `an entry for each of ${count}`);
  return found;
}

const unexpected = ({ url }: Http, path: string, what: string) => new AzulejoError("network", `${url}${path}: expected ${what} in the answer`);
