// Conversations that the package keeps by name.

import { AzulejoError, invalid } from "../shared/errors.js";
import { forgetSession, listSessions, readSession } from "../shared/store/kept-sessions.js";
import type { KeptSession, Session } from "../shared/types.js";
import { CausalLM } from "./causal-lm.js";
import { RemoteSession } from "./session.js";
import { checkText, describe } from "./validate.js";

/** Conversations kept by name, in the browser or under Node in a folder, so that they go on after a reload. */
export const sessions = {
  /** In place of what had that name. Rejects with "out-of-memory" where there is no room, or nothing can be kept. */
  async save(name: string, session: Session): Promise<void> {
    const checked = checkName(name);
    if (!(session instanceof RemoteSession)) throw invalid(`session should be a Session, not ${describe(session)}`);
    await session.keep(checked);
  },

  /** A session that goes on where it was saved. Rejects as `restoreSession`, or with "missing-file". */
  async restore(name: string, model: CausalLM): Promise<Session> {
    const checked = checkName(name);
    if (!(model instanceof CausalLM)) throw invalid(`model should be a CausalLM, not ${describe(model)}`);
    const bytes = await told(`the session ${JSON.stringify(name)} could not be read`, readSession(checked));
    if (bytes === undefined) throw new AzulejoError("missing-file", `no session is kept by the name ${JSON.stringify(name)}`);
    return model.restoreSession(bytes);
  },

  /** The latest first. */
  list(): Promise<KeptSession[]> {
    return told("sessions could not be listed", listSessions());
  },

  /** Nothing happens where there is none of that name. */
  async delete(name: string): Promise<void> {
    await told(`the session ${JSON.stringify(name)} could not be deleted`, forgetSession(checkName(name)));
  },
};

/** The store's own errors are the platform's. */
async function told<T>(what: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    throw new AzulejoError("internal", `${what}: ${(cause as Error).message}`, undefined, { cause });
  }
}

function checkName(name: unknown): string {
  if (checkText(name, "name") === "") throw invalid("name is empty");
  return name as string;
}
