// The loading panel: stage, bytes, rate, and the time that remains.

import type { LoadProgress } from "./azulejo/index.js";
import { byId } from "./dom.js";
import * as format from "./format.js";

const STAGES: Record<LoadProgress["stage"], string> = {
  download: "Downloading",
  read: "Reading",
  upload: "Moving to the graphics processor",
  compile: "Preparing",
  ready: "Ready",
};
/** The rate is that of the last seconds: a connection that got faster should show. */
const WINDOW_MS = 3000;

/** Shows the progress of one load, in elements whose ids begin with `prefix`. */
export class ProgressView {
  private readonly bar: HTMLProgressElement;
  private readonly stage: HTMLElement;
  private readonly detail: HTMLElement;
  private samples: { at: number; bytes: number }[] = [];
  private latest: LoadProgress | undefined;
  private frame = 0;

  constructor(prefix: string, name: string) {
    this.bar = byId(`${prefix}progress`, HTMLProgressElement);
    this.stage = byId(`${prefix}progress-stage`, HTMLElement);
    this.detail = byId(`${prefix}progress-detail`, HTMLElement);
    byId(`${prefix}progress-name`, HTMLElement).textContent = name;
    this.stage.textContent = "Starting";
    this.detail.textContent = "";
    this.bar.removeAttribute("value");
  }

  /** Takes a report. They may come by the hundred a second; one a frame is painted. */
  report(progress: LoadProgress): void {
    if (progress.stage !== this.latest?.stage) this.samples = [];
    this.latest = progress;
    const now = performance.now();
    this.samples.push({ at: now, bytes: progress.loadedBytes });
    while (this.samples.length > 2 && now - (this.samples[0]?.at ?? now) > WINDOW_MS) this.samples.shift();
    this.frame ||= requestAnimationFrame(() => this.paint());
  }

  /** No more painting. */
  stop(): void {
    cancelAnimationFrame(this.frame);
  }

  private paint(): void {
    this.frame = 0;
    const progress = this.latest;
    if (!progress) return;
    const { loadedBytes, totalBytes, pipelines } = progress;
    this.stage.textContent = STAGES[progress.stage];
    if (pipelines) this.fill(pipelines.done, pipelines.total);
    else if (totalBytes && progress.stage !== "compile") this.fill(loadedBytes, totalBytes);
    else this.bar.removeAttribute("value");
    const parts = [totalBytes ? `${format.bytes(loadedBytes)} of ${format.bytes(totalBytes)}` : format.bytes(loadedBytes)];
    const perSecond = this.rate();
    if (perSecond > 0) {
      parts.push(`${format.bytes(perSecond)}/s`);
      if (totalBytes && totalBytes > loadedBytes) {
        parts.push(`${format.duration(((totalBytes - loadedBytes) / perSecond) * 1000)} left`);
      }
    }
    this.detail.textContent = parts.join(" · ");
  }

  private fill(done: number, total: number): void {
    this.bar.max = total;
    this.bar.value = done;
  }

  /** Bytes a second over the window; 0 while it is too short to tell. */
  private rate(): number {
    const first = this.samples[0];
    const last = this.samples[this.samples.length - 1];
    if (!first || !last || last.at - first.at < 250) return 0;
    return ((last.bytes - first.bytes) / (last.at - first.at)) * 1000;
  }
}
