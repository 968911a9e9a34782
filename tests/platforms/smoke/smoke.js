// What each engine has to be able to do, one step after another. The page is driven by nobody: it posts what it saw, and
// goes where the answer sends it.

const seen = { agent: navigator.userAgent, isolated: crossOriginIsolated, steps: {} };
const MODEL = new URL("/models/tiny.gguf", location.href).href;

/** Notes what a step gives, or how it fails; the next one is tried all the same. */
async function step(name, action) {
  try {
    seen.steps[name] = await within(60_000, action());
  } catch (error) {
    seen.steps[name] = { failed: `${error?.code ?? error?.name}: ${error?.message}` };
  }
}

function within(ms, promise) {
  const late = new Promise((resolve, reject) => setTimeout(() => reject(new Error(`not within ${ms} ms`)), ms));
  return Promise.race([promise, late]);
}

addEventListener("error", ({ message }) => (seen.uncaught = message));
addEventListener("unhandledrejection", ({ reason }) => (seen.uncaught = String(reason)));

async function run() {
  const { AzulejoError, CausalLM, Engine, ImageClassifier, cache, inspect, sessions } = await import("/azulejo/index.js");
  let engine;

  await step("engine", async () => (engine = await Engine.create()).device);

  await step("generate", async () => {
    const lm = await CausalLM.load(MODEL, { engine, contextLength: 64 });
    const { text } = await lm.generate("The capital of France is", { maxTokens: 8 });
    await lm.dispose();
    return text;
  });

  await step("kept", async () => (await cache.list()).filter(({ complete }) => complete).map(({ url }) => new URL(url).pathname));

  await step("read again", async () => {
    const stages = [];
    const lm = await CausalLM.load(MODEL, { engine, onProgress: ({ stage }) => stages.push(stage) });
    await lm.dispose();
    return stages[0];
  });

  await step("session", async () => {
    const lm = await CausalLM.load(MODEL, { engine, contextLength: 64 });
    const session = lm.createSession();
    await session.generate([5, 6, 7], { maxTokens: 4, ignoreEnd: true });
    const { length } = await lm.restoreSession(await session.save());
    const kept = async () => {
      await sessions.save("talk", session);
      const restored = await sessions.restore("talk", lm);
      await sessions.delete("talk");
      return restored.length;
    };
    const lengths = [session.length, length, await kept().catch(({ code }) => code)];
    await lm.dispose();
    return lengths;
  });

  await step("abort", async () => {
    const lm = await CausalLM.load("/models/endless.gguf", { engine, cache: false });
    const controller = new AbortController();
    const generation = lm.generate("a", { ignoreEnd: true, signal: controller.signal });
    for await (const _ of generation) controller.abort();
    const { finishReason } = await generation;
    await lm.dispose();
    return finishReason;
  });

  await step("classify", async () => {
    const classifier = await ImageClassifier.load("/fashion-mnist-vit/", { engine, cache: false });
    const canvas = new OffscreenCanvas(28, 28);
    const drawing = canvas.getContext("2d");
    drawing.fillRect(0, 0, 28, 28);
    drawing.fillStyle = "silver";
    drawing.fillRect(8, 1, 12, 5); // a waist
    for (const x of [8, 15]) drawing.fillRect(x, 6, 5, 21); // two legs
    const [best] = await classifier.classify(canvas);
    await classifier.dispose();
    return best.label;
  });

  await step("inspect", async () => (await inspect(MODEL, { engine })).architecture);

  await step("error", async () => {
    const error = await CausalLM.load("/models/none.gguf", { engine }).catch((thrown) => thrown);
    return error instanceof AzulejoError;
  });

  await step("in this thread", async () => {
    const here = await Engine.create({ device: "cpu", worker: false });
    const lm = await CausalLM.load(MODEL, { engine: here, contextLength: 64 });
    const { text } = await lm.generate("The capital of France is", { maxTokens: 8 });
    await here.dispose();
    return text;
  });

  await step("dispose", async () => {
    await engine.dispose();
    return CausalLM.load(MODEL, { engine }).catch(({ code }) => code);
  });

  await cache.delete().catch(() => {});
}

await run().catch((error) => (seen.uncaught = String(error)));
const answer = await fetch("/seen", { method: "POST", body: JSON.stringify(seen) });
const next = await answer.text();
if (next !== "") location.href = next;
