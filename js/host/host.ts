// The worker's side: hears the page's calls, works on them step by step, answers.

import { AzulejoError, disposed, fromWire, toWire } from "../shared/errors.js";
import { Breath, Job } from "../shared/jobs.js";
import type {
  Assets,
  CallName,
  Calls,
  Diagnostics,
  FromHost,
  HostPort,
  Loaded,
  Started,
  StartOptions,
  ToHost,
  WireSource,
  WireDownloadOptions,
} from "../shared/protocol.js";
import type { ModelSummary, TensorF32 } from "../shared/types.js";
import { sameVersion } from "../shared/version-check.js";
import { version } from "../shared/version.js";
import { openDevice, type Device } from "./device.js";
import { PageFetch } from "./files/fetch-by-page.js";
import { withFiles } from "./files/heal.js";
import { Meter } from "./files/meter.js";
import { loadAdapter } from "./load-adapter.js";
import type { Instance } from "./instance.js";
import { inspectModel, loadModel, type Loading } from "./load.js";
import { keep, type AnyLoaded } from "./loaded-any.js";
import { LoadedReader } from "./loaded-base.js";
import { LoadedImages } from "./loaded-images.js";
import { LoadedMatch } from "./loaded-match.js";
import { LoadedSeq2Seq, LoadedTexts } from "./loaded-texts.js";
import { LoadedModel } from "./loaded.js";

/** Bytes that the page was asked for. */
interface Pull {
  job: Job;
  resolve(bytes: Uint8Array | undefined): void;
  reject(error: unknown): void;
}

type Handlers = {
  [K in CallName]: (takes: Calls[K]["takes"], job: Job) => Promise<Calls[K]["gives"]> | Calls[K]["gives"];
};

export class Host {
  readonly #port: HostPort;
  #inPage = false;
  #device?: Device & { assets: Assets };
  readonly #models = new Map<number, AnyLoaded>();
  readonly #jobs = new Map<number, Job>();
  readonly #pulls = new Map<number, Pull>();
  #lastPull = 0;
  readonly #pageFetch: PageFetch;
  #closed = false;

  constructor(port: HostPort) {
    this.#port = port;
    this.#pageFetch = new PageFetch((message) => this.#post(message));
  }

  receive(message: ToHost): void {
    switch (message.kind) {
      case "call":
        return void this.#answer(message);
      case "abort":
        return this.#jobs.get(message.id)?.abort(message.code);
      case "piece": {
        const { pull, bytes, error } = message;
        const waiting = this.#pulls.get(pull);
        this.#pulls.delete(pull);
        return error === undefined ? waiting?.resolve(bytes) : waiting?.reject(fromWire(error));
      }
      case "fetched":
      case "fetchPiece":
        return this.#pageFetch.receive(message);
      case "close":
        return void this.#close();
    }
  }

  async #answer({ id, name, takes }: Extract<ToHost, { kind: "call" }>): Promise<void> {
    const { model, session } = takes as { model?: number; session?: number };
    const job = new Job(id, model, session);
    this.#jobs.set(id, job);
    try {
      const handler = this.#handlers[name] as (takes: unknown, job: Job) => unknown;
      const value = await handler(takes, job);
      this.#post({ kind: "result", id, value }, transferable(value));
    } catch (error) {
      this.#post({ kind: "error", id, error: toWire(error) });
    } finally {
      this.#jobs.delete(id);
      // Whatever the call still waits for, the page answers it no more.
      for (const [pull, waiting] of this.#pulls) {
        if (waiting.job !== job) continue;
        this.#pulls.delete(pull);
        waiting.reject(new AzulejoError("aborted", "the call is over"));
      }
    }
  }

  readonly #handlers: Handlers = {
    start: (options) => this.#start(options),
    diagnostics: (_, job) => this.#diagnostics(job),
    load: (takes, job) => this.#load(takes, job),
    adapt: (takes, job) => this.#adapt(takes, job),
    inspect: (takes, job) => this.#inspect(takes, job),
    disposeModel: (takes, job) => this.#disposeModel(takes, job),
    openSession: ({ model, session }) => this.#model(LoadedModel, model).openSession(session),
    disposeSession: ({ model, session }, job) => {
      this.#abort((each) => each !== job && each.model === model && each.session === session, "the session");
      return this.#model(LoadedModel, model).disposeSession(job, session);
    },
    saveSession: (takes, job) => this.#model(LoadedModel, takes.model).saveSession(job, takes),
    restoreSession: (takes, job) => this.#model(LoadedModel, takes.model).restoreSession(job, takes),
    cloneSession: (takes, job) => this.#model(LoadedModel, takes.model).cloneSession(job, takes),
    truncateSession: (takes, job) => this.#model(LoadedModel, takes.model).truncateSession(job, takes),
    generate: (takes, job) =>
      this.#writer(takes.model).generate(job, takes, (tokens) => this.#post({ kind: "tokens", id: job.id, tokens })),
    logits: (takes, job) => this.#model(LoadedModel, takes.model).logits(job, takes),
    attentionMaps: (takes, job) => this.#model(LoadedModel, takes.model).attentionMaps(job, takes),
    encode: (takes, job) => this.#reader(takes.model).encode(job, takes),
    decode: (takes) => this.#reader(takes.model).decode(takes),
    applyChatTemplate: (takes, job) => this.#reader(takes.model).applyChatTemplate(job, takes),
    classify: (takes, job) => this.#model(LoadedImages, takes.model).classify(job, takes),
    pixels: (takes, job) => this.#model(LoadedImages, takes.model).pixels(job, takes),
    imageLogits: (takes, job) => this.#model(LoadedImages, takes.model).logits(job, takes),
    imageFeatures: (takes, job) => this.#model(LoadedImages, takes.model).features(job, takes),
    imageAttentionMaps: (takes, job) => this.#model(LoadedImages, takes.model).attentionMaps(job, takes),
    imageAttention: (takes, job) => this.#model(LoadedImages, takes.model).attention(job, takes),
    embed: (takes, job) => this.#model(LoadedTexts, takes.model).embed(job, takes),
    hidden: (takes, job) => this.#model(LoadedTexts, takes.model).hidden(job, takes),
    textAttentionMaps: (takes, job) => this.#model(LoadedTexts, takes.model).attentionMaps(job, takes),
    classifyTexts: (takes, job) => this.#model(LoadedTexts, takes.model).classify(job, takes),
    classifyTokens: (takes, job) => this.#model(LoadedTexts, takes.model).classifyTokens(job, takes),
    textLogits: (takes, job) => this.#model(LoadedTexts, takes.model).logits(job, takes),
    seq2seqLogits: (takes, job) => this.#model(LoadedSeq2Seq, takes.model).logits(job, takes),
    embedImages: (takes, job) => this.#model(LoadedMatch, takes.model).embedImages(job, takes),
    embedTexts: (takes, job) => this.#model(LoadedMatch, takes.model).embedTexts(job, takes),
    matchLogits: (takes, job) => this.#model(LoadedMatch, takes.model).logits(job, takes),
  };

  async #start(options: StartOptions): Promise<Started> {
    sameVersion("page", options.version, "worker", version);
    this.#inPage = options.inPage;
    await holdLock(options.alive);
    const device = await openDevice(options, (port) => this.#port.postMessage({ kind: "thread", port }, [port]));
    if (!options.inPage) device.instance.onStranger = (stranger) => this.#post({ kind: "stranger", stranger });
    device.instance.onDeath.add((error) => this.#post({ kind: "died", error: toWire(error) }));
    this.#device = { ...device, assets: options.assets };
    return { version, device: device.info };
  }

  #started(): Device & { assets: Assets } {
    if (this.#device === undefined) throw new AzulejoError("internal", "the engine has not started");
    return this.#device;
  }

  async #diagnostics(job: Job): Promise<Diagnostics> {
    const { instance, info } = this.#started();
    const models = [...this.#models.values()];
    const { live, peak } = instance.notes;
    const counts = {
      wasmBytes: instance.memory.buffer.byteLength,
      liveBytes: live,
      peakBytes: peak,
      models: models.length,
      sessions: models.reduce((sum, model) => sum + (model instanceof LoadedModel ? model.sessions : 0), 0),
      jobs: this.#jobs.size - 1,
      pulls: this.#pulls.size,
    };
    const pool = instance.poolCounts();
    if (info.kind === "cpu") return { ...counts, ...(pool !== undefined && { pool }) };
    const gpu = await instance.finish(job, (core) => core.gpuDiagnostics());
    return { ...counts, gpu: { ...gpu, cpuMs: instance.stepMs } };
  }

  async #load({ model, task, source, options, download }: Calls["load"]["takes"], job: Job): Promise<Loaded> {
    const { integrity } = download;
    const meter = new Meter((progress) => this.#post({ kind: "progress", id: job.id, progress }));
    const core = await this.#withFiles(source, download, job, meter, (loading) =>
      loadModel({ ...loading, options, task, headerOnly: false, integrity }),
    );
    return this.#keep(model, core, (instance, assets) => keep(instance, core, assets));
  }

  async #adapt({ model, of, source, scale, download }: Calls["adapt"]["takes"], job: Job): Promise<Loaded> {
    const { integrity } = download;
    const base = this.#model(LoadedModel, of);
    const meter = new Meter((progress) => this.#post({ kind: "progress", id: job.id, progress }));
    const core = await this.#withFiles(source, download, job, meter, (loading) =>
      loadAdapter({ ...loading, integrity, scale, base: () => this.#model(LoadedModel, of) }),
    );
    return this.#keep(model, core, (instance, assets) => new LoadedModel(instance, core, assets, base));
  }

  /** A core's model becomes the page's, unless the engine was closed while it came. */
  #keep(model: number, core: { free(): void }, make: (instance: Instance, assets: Assets) => AnyLoaded): Loaded {
    const { instance, assets } = this.#started();
    if (this.#closed) {
      instance.free(core);
      throw disposed("the engine");
    }
    const loaded = make(instance, assets);
    this.#models.set(model, loaded);
    return loaded.facts();
  }

  async #inspect({ source, options, download = {}, fits }: Calls["inspect"]["takes"], job: Job): Promise<ModelSummary> {
    const summary = await this.#withFiles(source, download, job, new Meter(), (loading) =>
      inspectModel({ ...loading, options, headerOnly: true }),
    );
    if (!fits || summary.fits !== undefined) return summary;
    const { total } = summary.memory;
    // A GPU's limits are on single buffers, which only the core knows; how much there is in all nobody says.
    const { info, instance } = this.#started();
    if (info.kind === "webgpu" || total <= instance.most) return { ...summary, fits: true };
    const gib = (bytes: number) => (bytes / 2 ** 30).toFixed(1).replace(/\.0$/, "");
    return { ...summary, fits: false, why: `needs ${gib(total)} GiB, and WebAssembly's memory ends at ${gib(instance.most)} GiB` };
  }

  #withFiles<T>(
    source: WireSource,
    download: WireDownloadOptions,
    job: Job,
    meter: Meter,
    work: (loading: Omit<Loading, "options" | "headerOnly">) => Promise<T>,
  ): Promise<T> {
    const { instance, info } = this.#started();
    const inPage = this.#inPage;
    const reach = {
      job,
      download,
      fetch: download.pageFetch ? this.#pageFetch.for(job.id) : fetch,
      pull: (file: string, offset: number, length: number) => this.#pull(job, file, offset, length),
      note: meter.note.bind(meter),
    };
    const breath = new Breath(inPage ? 4 : 20);
    const { file, quant } = download;
    return withFiles(source, reach, (files) =>
      work({ instance, device: info.kind, job, files, choice: { file, quant }, meter, inPage, breath }),
    ).finally(() => meter.stop());
  }

  async #disposeModel({ model }: { model: number }, job: Job): Promise<void> {
    const loaded = this.#models.get(model);
    if (loaded === undefined) return;
    this.#models.delete(model);
    this.#abort((each) => each !== job && each.model === model, "the model");
    await loaded.dispose(job);
  }

  /** A model of this kind. The page asks no other of its class: where there is none, it is gone. */
  #model<T extends AnyLoaded>(kind: abstract new (...given: never[]) => T, id: number): T {
    const model = this.#models.get(id);
    if (model instanceof kind) return model;
    throw disposed("the model");
  }

  #writer(id: number): LoadedModel | LoadedSeq2Seq {
    return this.#models.get(id) instanceof LoadedSeq2Seq ? this.#model(LoadedSeq2Seq, id) : this.#model(LoadedModel, id);
  }

  #reader(id: number): Exclude<AnyLoaded, LoadedImages> {
    const model = this.#models.get(id);
    if (model instanceof LoadedReader) return model;
    throw disposed("the model");
  }

  #pull(job: Job, file: string, offset: number, length: number): Promise<Uint8Array | undefined> {
    const pull = ++this.#lastPull;
    const answer = new Promise<Uint8Array | undefined>((resolve, reject) => {
      this.#pulls.set(pull, { job, resolve, reject });
      this.#post({ kind: "pull", id: job.id, pull, file, offset, length });
    });
    answer.catch(() => {}); // Of a call that is over.
    return answer;
  }

  #abort(which: (job: Job) => boolean, what: string): void {
    for (const job of this.#jobs.values()) if (which(job)) job.abort("disposed", what);
  }

  /** For a host in the page; a worker is simply ended. */
  async #close(): Promise<void> {
    this.#closed = true;
    this.#abort(() => true, "the engine");
    for (const loaded of this.#models.values()) await loaded.dispose(new Job(0));
    this.#models.clear();
    if (this.#device?.info.kind === "webgpu") this.#device.instance.leaveGpu();
  }

  #post(message: FromHost, transfer: Transferable[] = []): void {
    if (!this.#closed) this.#port.postMessage(message, transfer);
  }
}

/** Held until the worker ends, however it ends: nothing else tells the page of a worker that was killed. */
function holdLock(name: string | undefined): Promise<void> {
  if (name === undefined) return Promise.resolve();
  return new Promise((resolve) => {
    const forEver = () => {
      resolve();
      return new Promise(() => {});
    };
    navigator.locks.request(name, forEver).catch(() => resolve());
  });
}

/** Large results move instead of being copied; they are the core's own copies, made for us. */
function transferable(value: unknown): Transferable[] {
  const { data } = (value ?? {}) as Partial<TensorF32>;
  return data?.buffer instanceof ArrayBuffer && data.byteLength === data.buffer.byteLength ? [data.buffer] : [];
}
