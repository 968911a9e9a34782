// Where on a hub a model lies: "hf:org/name@revision/file", and the addresses that people copy from its pages.

import { invalid } from "../shared/errors.js";
import { decoded } from "../shared/percent.js";
import type { WireSource } from "../shared/protocol.js";

type HubSource = Extract<WireSource, { kind: "hub" }>;

/** Hugging Face's, where no other `endpoint` is given. */
export const HUB = "https://huggingface.co/";
const HOSTS = /^(www\.)?(huggingface\.co|hf\.co)$/i;
const GRAMMAR = "hf:org/name[@revision][/folder/ or /file.gguf]";
/** A revision that has slashes in it: pull requests, conversions, branches and tags by their full names. */
const REFS = /^refs\/(?:pr\/\d+|(?:convert|heads|tags)\/[^/]+)(?=\/|$)/;

/** "hf:…"; `endpoint` ends in "/". */
export function hubFromText(text: string, endpoint: string): HubSource {
  const wrong = (why: string) => invalid(`${JSON.stringify(text)}: ${why}`);
  const bare = text.replace(/^hf:(\/\/)?/i, "").replace(/[?#].*$/, "");
  // "hf:gpt2" is one of the few from the time before organisations; whatever follows a slash is a name, unless a revision
  // stands before it.
  const [, repo, rest] = /^([^/@:]+\/[^/@:]+|[^/@:]+)\/?(.*)$/.exec(bare) ?? [];
  if (repo === undefined || rest === undefined) throw wrong(`should read ${GRAMMAR}`);
  const tag = /^:([^/]+)$/.exec(rest)?.[1];
  if (tag !== undefined)
    throw wrong(`which of its GGUF files is meant is an option: load("hf:${repo}", { quant: ${JSON.stringify(tag)} })`);
  if (/^(datasets|spaces)$/.test(repo.split("/")[0]!)) throw wrong("that is no model's repository");
  if (!rest.startsWith("@")) return hubSource(endpoint, repo, "main", rest, wrong);
  const [revision, path] = splitRevision(rest.slice(1));
  if (revision === "") throw wrong(`a revision should follow "@": ${GRAMMAR}`);
  return hubSource(endpoint, repo, revision, path, wrong);
}

/** An address of the hub's pages or files; `undefined` where it is of another host. */
export function hubFromUrl(url: URL, endpoint: string): HubSource | undefined {
  const inside = pathWithin(url, endpoint);
  if (inside === undefined) return undefined;
  const wrong = (why: string) => invalid(`${url.href}: ${why}`);
  const segments = inside.split("/").filter((segment) => segment !== "");
  const isView = (segment: string | undefined) => /^(tree|blob|resolve|raw)$/.test(segment ?? "");
  // A hub of one's own may stand beside other files on its host.
  if (!HOSTS.test(url.hostname) && !segments.slice(1, 3).some(isView) && (segments.length > 2 || /\.gguf$/i.test(inside)))
    return undefined;
  // A data set may hold a model's file; its address is then as good as anybody's.
  if (/^(datasets|spaces)$/.test(segments[0] ?? "") && segments[3] === "resolve") return undefined;
  if (segments.length === 0 || /^(datasets|spaces|models|collections|papers|docs|blog|api)$/.test(segments[0]!))
    throw wrong("that is no model's address on the hub");
  const named = isView(segments[1]) ? 1 : 2;
  const repo = segments.slice(0, named).join("/");
  const [view, ...rest] = segments.slice(named);
  const shown = url.searchParams.get("show_file_info") ?? "";
  if (view === undefined) return hubSource(endpoint, repo, "main", /\.gguf$/i.test(shown) ? shown : "", wrong);
  if (!isView(view) || rest.length === 0) throw wrong(`that is a page about a model; the model itself is hf:${repo}`);
  const [revision, path] = splitRevision(rest.join("/"));
  // A page of the files: what is shown is a folder, with or without a slash at its end.
  const folder = view === "tree" && path !== "" ? `${path}/` : path;
  return hubSource(endpoint, repo, revision, folder, wrong);
}

/** What follows the endpoint in an address, or the host of the hub's own. */
function pathWithin(url: URL, endpoint: string): string | undefined {
  if (!/^https?:$/.test(url.protocol)) return undefined;
  if (url.href.startsWith(endpoint)) return url.pathname.slice(new URL(endpoint).pathname.length);
  return HOSTS.test(url.hostname) ? url.pathname.slice(1) : undefined;
}

/** "%2F" in a revision is how pages spell the slashes of refs/pr/1. */
function splitRevision(text: string): [revision: string, path: string] {
  const [first, ...rest] = text.split("/");
  const whole = [decoded(first!), ...rest].join("/");
  const revision = REFS.exec(whole)?.[0] ?? decoded(first!);
  return [revision, whole.slice(revision.length + 1)];
}

function hubSource(
  endpoint: string,
  repo: string,
  revision: string,
  given: string,
  wrong: (why: string) => Error,
): HubSource {
  if (!/^[\w.-]+(\/[\w.-]+)?$/.test(repo)) throw wrong(`should read ${GRAMMAR}`);
  if (/[?#\\\s]|^\.|\.\.|\/\//.test(revision)) throw wrong(`${JSON.stringify(revision)} is no revision`);
  const path = given.split("/").map(decoded).join("/");
  const folder = path.replace(/[^/]*$/, "");
  if (path !== "" && !/^([^/\\]+\/)*[^/\\]*$/.test(path)) throw wrong(`should read ${GRAMMAR}`);
  if (path.split("/").some((segment) => segment === "." || segment === "..")) throw wrong("a path goes down only");
  const at = revision === "main" ? "" : `@${revision}`;
  const parent = `hf:${repo}${at}/${folder}`;
  if (/\.(safetensors|json|jinja|model|txt)$/i.test(path)) throw wrong(`give the folder that it lies in: ${parent}`);
  if (path !== folder && !/\.gguf$/i.test(path))
    throw wrong(
      /\.[a-z]\w*$/i.test(path)
        ? `azulejo reads GGUF files and folders with safetensors: ${parent}`
        : `if that is a folder, its name ends in "/": hf:${repo}${at}/${path}/`,
    );
  return { kind: "hub", endpoint, repo, revision, path };
}
