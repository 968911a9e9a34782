// Whether what is kept is still what the server has: asked with HEAD, for a few seconds. No answer costs a kept file.

import type { Copy, Version } from "../../shared/store/store.js";
import {
  ask,
  contentRange,
  discard,
  isOffline,
  isPage,
  sameVersion,
  statusOf,
  trustedLength,
  versionOf,
  type Answer,
  type Requests,
} from "./http.js";

/** What a load knows of its servers. */
export interface Asking {
  revalidate: "always" | "never" | number;
  /** Who did not answer in time: they are not asked after every further file. */
  silent: Set<string>;
}

export interface Verdict {
  /** To be used. */
  good: boolean;
  /** The server has been asked, and has the same. */
  checked: boolean;
  note?: string;
}

const LONGEST_MS = 3000;
const BELIEVED: Verdict = { good: true, checked: false };

export async function currency(url: string, how: Requests, copy: Copy, asking: Asking): Promise<Verdict> {
  if (isFresh(url, copy.checked, asking)) return BELIEVED;
  const used = (why: string): Verdict => ({ ...BELIEVED, note: `${why}: the kept copy is used` });
  const answer = await head(url, how, asking);
  if (typeof answer === "string") return used(answer);
  if (!isGood(answer)) return used(isPage(answer) ? "the server answered with a page" : statusOf(answer));
  const same = sameVersion(copy, versionSaid(answer));
  return { good: same, checked: same };
}

/** Whether a file that was missing still is; asked for itself where that is unclear. */
export async function isStillMissing(url: string, how: Requests, since: number, asking: Asking): Promise<Verdict> {
  if (isFresh(url, since, asking)) return BELIEVED;
  const answer = await head(url, how, asking);
  if (typeof answer === "string") return { ...BELIEVED, note: `${answer}: it is taken for missing, as it was before` };
  const gone = [404, 410].includes(answer.status) || (answer.status < 300 && isPage(answer));
  return { good: gone, checked: gone };
}

const isGood = (answer: Answer) => answer.status >= 200 && answer.status < 300 && !isPage(answer);

function isFresh(url: string, checked: number, { revalidate }: Asking): boolean {
  if (revalidate === "never" || isOffline() || hasCommit(url)) return true;
  const age = Date.now() - checked;
  return typeof revalidate === "number" && age >= 0 && age < revalidate;
}

/** What an address with a commit's hash says never changes. */
const hasCommit = (url: string) => new URL(url).pathname.split("/").some((segment) => /^[\da-f]{40}$/.test(segment));

/** The answer's head, or why there is none. */
async function head(url: string, how: Requests, { silent }: Asking): Promise<Answer | string> {
  const { origin } = new URL(url);
  if (silent.has(origin)) return NO_ANSWER;
  const late = new AbortController();
  const stop = () => late.abort(how.signal.reason);
  const timer = setTimeout(() => late.abort(), LONGEST_MS);
  how.signal.addEventListener("abort", stop);
  try {
    // For a range, because then nobody compresses it and changes its tag.
    const about = (headers: Record<string, string>) =>
      ask(url, how, { method: "HEAD", headers, cache: "no-cache", signal: late.signal });
    const answer = await about({ range: "bytes=0-" }).catch((error: unknown) =>
      late.signal.aborted ? Promise.reject(error) : about({}),
    );
    discard(answer);
    return answer;
  } catch (error) {
    how.signal.throwIfAborted();
    silent.add(origin);
    const { cause, message } = error as Error & { cause?: Error };
    return late.signal.aborted ? NO_ANSWER : `no answer (${cause?.message ?? message})`;
  } finally {
    clearTimeout(timer);
    how.signal.removeEventListener("abort", stop);
  }
}
const NO_ANSWER = `no answer within ${LONGEST_MS / 1000} s`;

function versionSaid(answer: Answer): Version {
  return versionOf(answer, answer.status === 206 ? contentRange(answer)?.size : trustedLength(answer));
}
