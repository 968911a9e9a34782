// Requests and answers as OpenAI's server has them: JSON, and server-sent events.

import { asError, invalid, type AzulejoError } from "../shared/errors.js";
import { leave, runUntil, type Run } from "../shared/streams.js";
import type { OpenAIClient } from "./types.js";

type Verbs = Omit<OpenAIClient, "fetch">;

export async function handle(client: Verbs, request: Request): Promise<Response> {
  request.signal.throwIfAborted();
  try {
    return await answer(client, request);
  } catch (thrown) {
    request.signal.throwIfAborted();
    return failed(asError(thrown));
  }
}

async function answer(client: Verbs, request: Request): Promise<Response> {
  const path = new URL(request.url).pathname.replace(/\/+$/, "");
  const asked = /\/models(?:\/(.+))?$/.exec(path);
  if (request.method === "GET" && asked !== null) return models(client, asked[1] ?? "");
  const [, what] = (request.method === "POST" && /\/(chat\/completions|completions|embeddings)$/.exec(path)) || [];
  if (what === undefined)
    return json({ error: { message: `${request.method} ${path}: not supported`, type: "invalid_request_error", param: null, code: null } }, 404);
  const params = await request.json().catch(() => { throw invalid("the body should be JSON"); });
  if (typeof params !== "object" || params === null) throw invalid("the body should be an object");
  // An abort reaches a request's signal only while the request is there: what answers it holds it.
  const run = runUntil(request.signal);
  const { signal } = run;
  if (what === "embeddings") return json(await client.embeddings.create(params, { signal }));
  const { create } = (what === "completions" ? client.completions : client.chat.completions) as { create(params: unknown, options: object): Promise<unknown> };
  const result = await create(params, { signal });
  return params.stream ? await events(result as AsyncGenerator<unknown>, run, request) : json(result);
}

async function models(client: Verbs, id: string): Promise<Response> {
  const list = await client.models.list();
  if (id === "") return json(list);
  const model = list.data.find((each) => each.id === decodeURIComponent(id));
  return model === undefined ? json({ error: { message: `there is no model ${id}`, type: "invalid_request_error", param: "model", code: "model_not_found" } }, 404) : json(model);
}

const json = (value: unknown, status = 200): Response => new Response(JSON.stringify(value), { status, headers: { "content-type": "application/json" } });

/** What fails before anything is said has a status of its own. */
async function events(chunks: AsyncGenerator<unknown>, run: Run, request: Request): Promise<Response> {
  const encoder = new TextEncoder();
  const line = (text: string) => encoder.encode(`data: ${text}\n\n`);
  let first: IteratorResult<unknown> | undefined = await chunks.next();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = first ?? (await chunks.next());
        first = undefined;
        controller.enqueue(line(done ? "[DONE]" : JSON.stringify(value)));
        if (done) controller.close();
      } catch (thrown) {
        if (request.signal.aborted) return controller.error(request.signal.reason);
        const { message, code } = asError(thrown);
        controller.enqueue(line(JSON.stringify({ error: { message, type: "server_error", param: null, code } })));
        controller.close();
      }
    },
    cancel: () => leave(chunks, run),
  });
  return new Response(body, { headers: { "content-type": "text/event-stream", "cache-control": "no-cache" } });
}

function failed({ code, message }: AzulejoError): Response {
  const [status, name] = STATUS[code] ?? [500, code];
  const type = status < 500 ? "invalid_request_error" : "server_error";
  return json({ error: { message, type, param: null, code: name } }, status);
}

const STATUS: Partial<Record<AzulejoError["code"], [status: number, name: string | null]>> = {
  "invalid-argument": [400, null],
  "unsupported-model": [400, "unsupported-model"],
  "context-full": [400, "context_length_exceeded"],
  "missing-file": [404, "model_not_found"],
};
