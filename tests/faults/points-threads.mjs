// A thread of a worker's pool ends around each message that the worker exchanges with page and threads while a play is on
// (wire-play.mjs). Whoever computes with it waits for it for ever: that it has ended must be heard elsewhere. What waits
// rejects; what is called next works, in a new worker, and gives the same bit by bit; an engine beside it hears nothing.

import { AzulejoError } from "../../dist/index.js";
import { numbered } from "./injector.mjs";
import { Oracle, settled } from "./oracle.mjs";
import { disturbed, openWorld } from "./wire-play.mjs";
import { Tap } from "./wire.mjs";

const WORKER = new URL("./thread-ends-worker.mjs", import.meta.url);

/** Ends threads, not workers. */
class ThreadTap extends Tap {
  #channel = new BroadcastChannel("ends of threads");
  #point = {};
  #hears = () => {};

  constructor() {
    super();
    this.#channel.unref();
    this.#channel.onmessage = ({ data }) => this.#hears(data);
  }

  starts = ([, options]) => {
    const env = { ...process.env, AZULEJO_THREAD_ENDS: JSON.stringify(this.#point) };
    this.#point = {};
    return [WORKER, { ...options, env }];
  };

  started(worker) {
    super.started(worker);
    this.gone ??= new Promise((resolve) => worker.once("exit", resolve));
  }

  /** Of the next worker that starts, until it is `gone`; nothing happens to those after it. */
  arm(point) {
    this.#point = point;
    this.gone = undefined;
    this.hit = new Promise((resolve) => {
      this.#hears = ({ hits }) => hits > 0 && resolve();
    });
  }

  disarm() {}

  /** What the only worker has counted. */
  count() {
    return new Promise((resolve) => {
      this.#hears = ({ counts }) => resolve(counts);
      this.#channel.postMessage({});
    });
  }
}

export async function open() {
  const tap = new ThreadTap();
  const world = await openWorld(tap, { threads: 2 }, () => tap.count());
  return {
    points: points(world),
    trial: (point) => trial(world, point),
    memory: () => 0,
    close: () => world.close(),
  };
}

function points({ counts }) {
  const found = [];
  for (const [direction, count] of Object.entries(counts))
    for (const when of ["before", "after"])
      for (let at = 1; at <= count; at++) {
        const kind = `threads/${direction}/${when}`;
        found.push({ direction, when, at, kind, name: `${kind}/${numbered(at)}` });
      }
  return found;
}

async function trial(world, point) {
  const oracle = new Oracle(AzulejoError);
  const { tap } = world;
  await disturbed(world, oracle, point, async ({ engine }) => {
    if ((await settled(tap.hit)).hangs) oracle.wrong("the fault has not come to pass");
    // One that has not started is done without.
    if (engine?.device.features.includes("threads") === false) return;
    if ((await settled(tap.gone)).hangs) oracle.wrong("nobody has heard of it");
  });
  return oracle.wrongs;
}
