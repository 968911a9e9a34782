// Addresses on a model hub (Hugging Face's, or one that answers like it), and what a repository holds.

import { encoded } from "../../shared/percent.js";
import type { WireSource } from "../../shared/protocol.js";
import { ask, discard, networkError, statusOf, type Requests } from "./http.js";

export type HubSource = Extract<WireSource, { kind: "hub" }>;

export function hubFile({ endpoint, repo, revision }: HubSource, path: string): URL {
  return new URL(`${endpoint}${encoded(repo)}/resolve/${encodeURIComponent(revision)}/${encoded(path)}`);
}

/** For messages: "org/name@revision/folder". */
export const hubPlace = ({ repo, revision, path }: HubSource) =>
  `${repo}${revision === "main" ? "" : `@${revision}`}${path === "" ? "" : `/${path}`}`;

/** The names of all files below the source's folder. */
export async function listHub(source: HubSource, how: Requests): Promise<string[]> {
  const { endpoint, repo, revision, path } = source;
  const names: string[] = [];
  let next: URL | undefined = new URL(
    `${endpoint}api/models/${encoded(repo)}/tree/${encodeURIComponent(revision)}?recursive=true`,
  );
  const { origin } = next;
  for (let page = 0; next !== undefined && page < MOST_PAGES; page++) {
    const answer = await ask(next.href, how);
    if (answer.status !== 200) {
      discard(answer);
      throw networkError(next.href, how, statusOf(answer));
    }
    for (const name of await filesIn(next.href, how, answer.body)) if (name.startsWith(path)) names.push(name.slice(path.length));
    const link = nextPage(answer.headers.get("link"), next);
    // The token goes nowhere else.
    next = link?.origin === origin ? link : undefined;
  }
  return names;
}
/** Of a thousand files each. */
const MOST_PAGES = 50;

async function filesIn(url: string, how: Requests, body: ReadableStream<Uint8Array> | null): Promise<string[]> {
  let entries: unknown;
  try {
    entries = await new Response(body as ReadableStream<Uint8Array<ArrayBuffer>> | null).json();
  } catch (error) {
    how.signal.throwIfAborted();
    throw networkError(url, how, `the list of files cannot be read (${(error as Error).message})`, error);
  }
  if (!Array.isArray(entries)) throw networkError(url, how, "the list of files is none");
  return (entries as ({ type?: unknown; path?: unknown } | null)[])
    .filter((entry) => entry?.type === "file" && typeof entry.path === "string")
    .map((entry) => entry!.path as string);
}

/** `<address>; rel="next"` */
function nextPage(link: string | null, base: URL): URL | undefined {
  const [, address] = /<([^>]*)>\s*;\s*rel="?next"?/i.exec(link ?? "") ?? [];
  try {
    return address === undefined ? undefined : new URL(address, base);
  } catch {
    return undefined;
  }
}
