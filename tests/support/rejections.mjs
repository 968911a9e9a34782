// What every rejection must be, for tests of calls.

import assert from "node:assert/strict";
import { AzulejoError } from "../../dist/index.js";

/** The AzulejoError that `work` rejects with (or throws), of this code and saying this. */
export async function rejection(work, code, says) {
  const error = await (async () => work())().then(() => assert.fail(`it did not fail: ${work}`), (error) => error);
  assert(error instanceof AzulejoError, `not an AzulejoError: ${error?.stack}`);
  assert.equal(error.code, code, error.stack);
  if (says !== undefined) assert.match(error.message, says);
  return error;
}
