// One fault in one load, and everything that must hold then and afterwards.

import { settled } from "./oracle.mjs";

/**
 * A point: { name, kind, model, state, version?, sync?, options?, optionsIn?(world), arm(world, controller), attempt?,
 * reached?(world), right?, codes?, keeps? }. With the fault the load (or `attempt`) gives one of the answers `right` (by
 * default that of the `version`, from 0, which the server has at the end) or an error of `codes` (by default none).
 * `keeps`: whatever the fault, a complete copy that was there before still is.
 */
export async function trial(world, point) {
  const oracle = world.oracle();
  const { state, version = state === "changed" ? 1 : 0 } = point;
  try {
    await world.begin(point);
    await faulty(world, point, oracle, version);
    await world.askNeighbours(oracle);
    await offline(world, point, oracle, version);
    await afterwards(world, point, oracle, version);
    await world.judgeDeletion(oracle);
  } catch (error) {
    oracle.wrong(`the trial itself failed: ${error.stack}`);
  } finally {
    world.end();
  }
  return oracle.wrongs;
}

const tried = (world, model, options) => world.attempt(model, options);

async function faulty(world, point, oracle, version) {
  const { model, arm, codes = [], right = [world.right[model.name][version]], attempt = tried, reached = () => true } = point;
  const options = { ...point.options, ...point.optionsIn?.(world) };
  const controller = world.patience();
  const before = await world.census(controller.signal);
  arm(world, controller);
  const outcome = await settled(attempt(world, model, { ...options, signal: controller.signal }));
  point.loaded = outcome.value !== undefined;
  if (!reached(world)) oracle.wrong("the fault has not come to pass: not as much was asked as in the dry run");
  world.heal();
  oracle.judge("with the fault", outcome, { right, codes });
  await oracle.same("after the fault", before, () => world.census(controller.signal));
}

/** What is complete, or is said to be, loads without a network; that it is gone the browser need not have noticed. */
async function offline(world, { model, state, right, keeps = state === "kept", loaded }, oracle, version) {
  const claimed = right === undefined && loaded && (await world.claims(model));
  if (!keeps && !claimed) return;
  const [old, last] = [world.right[model.name][0], world.right[model.name][version]];
  world.cutOff(false);
  // Where a note that something is missing could not be written, nobody can know that it is.
  const mayAsk = keeps ? [] : ["network"];
  const outcome = await settled(world.attempt(model));
  oracle.judge("offline, right after it", outcome, { right: [old, last], codes: mayAsk });
  world.reconnect();
}

async function afterwards(world, { model, state }, oracle, version) {
  const right = [world.right[model.name][version]];
  const before = await world.census();
  oracle.judge("the next load", await settled(world.attempt(model)), { right });
  await oracle.same("after the next load", before, () => world.census());
  world.judgeTidiness(oracle, model, version);
  if (!(await world.claims(model))) oracle.wrong("after the next load not everything is kept");
  world.cutOff(true);
  oracle.judge("offline", await settled(world.attempt(model)), { right });
  if (world.knowsOffline && world.server.log.length > 0) oracle.wrong(`offline ${world.server.log.length} requests were made`);
  world.reconnect();
}
