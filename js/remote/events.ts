// Server-sent events, as far as answers use them: https://html.spec.whatwg.org/multipage/server-sent-events.html

import { AzulejoError } from "../shared/errors.js";

/** A longer one is no event of an answer's, but something that never ends. */
const LONGEST = 1 << 24;

/** The data of each. An end of the body ends the last one, too: some servers leave the empty line out. */
export async function* events(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let data: string[] = [];
  for await (const line of linesOf(body)) {
    if (line === "" && data.length > 0) {
      yield data.join("\n");
      data = [];
    }
    // A line that begins with ":" is a comment, which keeps the connection alive.
    const field = /^data(?:: ?(.*))?$/s.exec(line);
    if (field !== null) data.push(field[1] ?? "");
  }
  if (data.length > 0) yield data.join("\n");
}

/** Leaving it cancels the body. */
async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      rest += decoder.decode(value, { stream: !done });
      // A "\r" at the end may be the first half of a "\r\n".
      const lines = rest.split(done ? /\r\n|\n|\r/ : /\r\n|\n|\r(?!$)/);
      rest = lines.pop()!;
      yield* lines;
      if (rest.length > LONGEST) throw new AzulejoError("network", `an event of the server's has more than ${LONGEST} characters`);
      if (done) break;
    }
    if (rest !== "") yield rest;
  } finally {
    reader.cancel().catch(() => {});
  }
}
