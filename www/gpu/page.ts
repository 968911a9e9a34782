// The page "Your GPU": what to measure, how far it is, what was found, and what one may do with it.

import { announce, byId } from "../dom.js";
import { initErrors, showError } from "../errors.js";
import * as format from "../format.js";
import { initOffline } from "../offline.js";
import { factsOfAdapter, findAdapter, nameOf, type AdapterFacts } from "./adapter.js";
import { measureAll, type Told } from "./measure.js";
import { drawPicture, pngOf } from "./picture.js";
import { overall, STEPS, verdictOf, type Report, type StepName } from "./report.js";
import { adapterFacts, facts, SHOW } from "./results.js";

const start = byId("measure", HTMLButtonElement);
const cancel = byId("cancel", HTMLButtonElement);
const time = byId("seconds", HTMLSelectElement);
const running = byId("running", HTMLElement);
const bar = byId("progress", HTMLProgressElement);
const doing = byId("doing", HTMLElement);
const left = byId("left", HTMLElement);
const status = byId("gpu-status", HTMLElement);
const share = byId("share", HTMLElement);
const canvas = byId("picture", HTMLCanvasElement);

/** What the address may ask for, in lists with commas: `?families=llama,vit&kernels=Q4_1&seconds=5`. */
const asked = new URLSearchParams(location.search);

function onlyThese(): Report["only"] {
  const names = (what: keyof Report["only"]) => (asked.has(what) ? { [what]: asked.get(what)!.split(",") } : {});
  return { ...names("families"), ...names("kernels"), ...names("variants") };
}

const TITLES: Record<StepName, string> = {
  families: "Right or wrong, by family", kernels: "Right or wrong, by kernel", ceilings: "What it can do at most", speed: "How fast",
};

function setState(state: "empty" | "ready" | "running" | "done" | "none", words: string, isWrong = false): void {
  document.body.dataset["state"] = state;
  status.classList.toggle("wrong", isWrong);
  status.textContent = words;
}

class Page {
  private aborting: AbortController | undefined;
  private report: Report | undefined;
  private png: Blob | undefined;

  constructor(private readonly adapter: AdapterFacts) {
    start.addEventListener("click", () => void this.measure());
    cancel.addEventListener("click", () => this.aborting?.abort());
    addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.aborting?.abort();
    });
    byId("save-picture", HTMLButtonElement).addEventListener("click", () => save(this.png!, this.name("png")));
    byId("save-report", HTMLButtonElement).addEventListener("click", () => save(new Blob([this.json()], { type: "application/json" }), this.name("json")));
    byId("copy-report", HTMLButtonElement).addEventListener("click", () => void this.copy());
    const send = byId("share-picture", HTMLButtonElement);
    send.hidden = typeof navigator.share !== "function";
    send.addEventListener("click", () => void this.send());
    const seconds = Number(asked.get("seconds"));
    if (seconds > 0) time.add(new Option(format.duration(seconds * 1000), String(seconds), true, true));
    start.disabled = false;
    setState("ready", "Nothing is measured yet");
  }

  private async measure(): Promise<void> {
    const steps = STEPS.filter((step) => byId(`want-${step}`, HTMLInputElement).checked);
    if (steps.length === 0) {
      status.textContent = "Choose what to measure";
      return;
    }
    this.aborting = new AbortController();
    const seconds = Number(time.value);
    const stopClock = this.begin(seconds);
    try {
      const told = this.told();
      const report = await measureAll(this.adapter, { steps, seconds, only: onlyThese(), signal: this.aborting.signal }, told, (report) => (this.report = report));
      await this.finish(report);
    } catch (error) {
      showError(error);
      setState("ready", "It could not be measured");
    } finally {
      stopClock();
      this.end();
    }
  }

  /** The controls while it runs, and a clock that counts down until the result is called. */
  private begin(seconds: number): () => void {
    const until = performance.now() + seconds * 1000;
    const tick = () => {
      const remaining = until - performance.now();
      left.textContent = remaining > 0 ? `about ${format.duration(Math.max(1000, Math.round(remaining / 1000) * 1000))} left` : "ending the last step";
      bar.value = Math.min(1, 1 - remaining / (seconds * 1000));
    };
    setState("running", "Measuring");
    running.hidden = false;
    share.hidden = true;
    start.disabled = time.disabled = true;
    for (const step of STEPS) {
      byId(`step-${step}`, HTMLElement).hidden = true;
      byId(`want-${step}`, HTMLInputElement).disabled = true;
    }
    tick();
    cancel.focus();
    announce("Measuring");
    const timer = setInterval(tick, 500);
    return () => clearInterval(timer);
  }

  private end(): void {
    const hadFocus = running.contains(document.activeElement) || document.activeElement === document.body;
    running.hidden = true;
    start.disabled = time.disabled = false;
    for (const step of STEPS) byId(`want-${step}`, HTMLInputElement).disabled = false;
    if (hadFocus) start.focus({ preventScroll: true });
    this.aborting = undefined;
  }

  private told(): Told {
    const card = (step: StepName) => byId(`step-${step}`, HTMLElement);
    const line = (step: StepName) => byId(`state-${step}`, HTMLElement);
    const show = (step: StepName) => byId(`result-${step}`, HTMLElement).replaceChildren(...SHOW[step](this.report!));
    return {
      begins(step) {
        card(step).hidden = false;
        card(step).dataset["state"] = "running";
        line(step).textContent = "measuring";
        byId(`result-${step}`, HTMLElement).replaceChildren();
        doing.textContent = TITLES[step];
      },
      doing: (words) => (doing.textContent = words),
      found: show,
      ended(step, { how, ms, why }) {
        card(step).dataset["state"] = how === "done" ? "done" : "partial";
        line(step).textContent = how === "done" ? format.duration(ms) : how === "out of time" ? "as far as the time went" : why ? `${how}: ${why}` : how;
        announce(`${TITLES[step]}: ${byId(`result-${step}`, HTMLElement).querySelector("p, dl")?.textContent ?? how}`);
      },
    };
  }

  private async finish(report: Report): Promise<void> {
    const cancelled = this.aborting!.signal.aborted;
    const words = overall(report) === "unknown" ? (cancelled ? "Cancelled" : "Measured") : `It ${verdictOf(report).replace(/^right/, "is right")}`;
    canvas.setAttribute("aria-label", await drawPicture(canvas, report));
    this.png = await pngOf(canvas);
    share.hidden = false;
    setState("done", words, overall(report) === "wrong");
    announce(words);
  }

  private json(): string {
    return JSON.stringify(this.report, null, 1);
  }

  private name(extension: string): string {
    const words = nameOf(this.adapter).toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "").slice(0, 40);
    return `azulejo-${words || "gpu"}.${extension}`;
  }

  private async copy(): Promise<void> {
    const button = byId("copy-report", HTMLButtonElement);
    try {
      await navigator.clipboard.writeText(this.json());
      button.textContent = "Copied";
      announce("Copied");
    } catch (error) {
      showError(error, "Save it instead.");
    }
    setTimeout(() => (button.textContent = "Copy JSON"), 2000);
  }

  /** What the system offers for sharing; nothing goes anywhere before one is chosen there. */
  private async send(): Promise<void> {
    const file = new File([this.png!], this.name("png"), { type: "image/png" });
    const text = `${nameOf(this.adapter)}, measured by azulejo in the browser`;
    try {
      await navigator.share(navigator.canShare?.({ files: [file] }) ? { files: [file], text } : { text, url: location.href });
    } catch (error) {
      if ((error as Error).name !== "AbortError") showError(error, "Save the picture instead.");
    }
  }
}

/** Hands a file to the browser's downloads. */
function save(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

async function open(): Promise<void> {
  initErrors(() => "measure");
  const adapter = await findAdapter();
  if (typeof adapter === "string") {
    byId("adapter-name", HTMLElement).textContent = "No graphics processor to measure";
    byId("adapter-note", HTMLElement).textContent = adapter;
    setState("none", "WebGPU is missing");
    return;
  }
  const found = factsOfAdapter(adapter);
  byId("adapter-name", HTMLElement).textContent = nameOf(found);
  byId("adapter-note", HTMLElement).textContent = found.software
    ? "This is no GPU: a program computes in its place on the processor. It can be compared and measured all the same; how fast it is says nothing of a GPU."
    : "";
  byId("adapter-facts", HTMLElement).replaceChildren(facts(adapterFacts(found)));
  new Page(found);
}

addEventListener("unhandledrejection", (event) => showError(event.reason));
void open();

void initOffline(() => document.body.dataset["state"] !== "running");
