// The folded-away settings: how words are drawn, and what computes them.

import { AzulejoError, type EngineOptions, type GenerateOptions } from "./azulejo/index.js";
import { byId } from "./dom.js";

/**
 * What the fields start with. A model of this size wanders at high temperatures and repeats itself at
 * low ones: 0.3 with a mild penalty keeps short answers to the point.
 */
const DEFAULTS: Record<string, string> = {
  "temperature": "0.3",
  "top-p": "0.9",
  "top-k": "40",
  "min-p": "0",
  "repetition-penalty": "1.1",
  "max-tokens": "512",
  "seed": "",
  "device": "auto",
  "threads": "",
  "system-prompt": "",
  "json-schema": "",
  "tools": "off",
};

const form = byId("settings-form", HTMLFormElement);
const deviceField = byId("device", HTMLSelectElement);
const toolsField = byId("tools", HTMLSelectElement);
const threadsField = byId("threads", HTMLInputElement);
const reload = byId("reload-model", HTMLButtonElement);
/** What the fields of the engine said when the present model was loaded; undefined while there is none. */
let loadedWith: string | undefined;

/** Fills the fields; `reloadModel` is called when the user wants another engine now. */
export function initSettings(reloadModel: () => void): void {
  reset();
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    reset();
  });
  for (const field of form.querySelectorAll("input")) {
    field.addEventListener("change", () => tidy(field));
  }
  for (const field of [deviceField, threadsField]) field.addEventListener("input", offerReload);
  reload.addEventListener("click", reloadModel);
}

/** The options of the next answer. */
export function generateOptions(): GenerateOptions {
  const options: GenerateOptions = {
    temperature: number("temperature"),
    topP: number("top-p"),
    minP: number("min-p"),
    repetitionPenalty: number("repetition-penalty"),
    maxTokens: number("max-tokens"),
  };
  const topK = number("top-k");
  if (topK > 0) options.topK = topK;
  const seed = byId("seed", HTMLInputElement).value;
  const schema = byId("json-schema", HTMLTextAreaElement).value.trim();
  if (schema) options.jsonSchema = parsedSchema(schema);
  options.seed = seed === "" ? Math.floor(Math.random() * 2 ** 32) : Number(seed);
  return options;
}

function parsedSchema(text: string): object {
  try {
    const schema: unknown = JSON.parse(text);
    if (typeof schema === "object" && schema !== null) return schema;
  } catch {
    // said below
  }
  throw new AzulejoError("invalid-argument", `the JSON Schema in Settings is no object of JSON: ${text.slice(0, 80)}`);
}

/** Whether the model is offered the page's tools, and has to call one. */
export function toolChoice(): "off" | "auto" | "required" {
  return toolsField.value as "off" | "auto" | "required";
}

/** The system prompt, or "" for the model's own. */
export function systemPrompt(): string {
  return byId("system-prompt", HTMLTextAreaElement).value.trim();
}

/** What to load the next model with; where nothing is said the package decides. */
export function engineOptions(): EngineOptions {
  tidy(threadsField);
  return {
    device: deviceField.value as NonNullable<EngineOptions["device"]>,
    ...(threadsField.value !== "" && { threads: Number(threadsField.value) }),
  };
}

const engineFields = () => `${deviceField.value} ${threadsField.value}`;

/** Remembers what the present model was loaded with, to offer a reload when the fields say otherwise. */
export function modelLoaded(loaded: boolean): void {
  loadedWith = loaded ? engineFields() : undefined;
  offerReload();
}

function offerReload(): void {
  reload.hidden = loadedWith === undefined || loadedWith === engineFields();
  if (!reload.hidden) reload.scrollIntoView({ block: "nearest" });
}

function reset(): void {
  for (const [id, value] of Object.entries(DEFAULTS)) field(id).value = value;
  offerReload();
}

function field(id: string): HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement {
  if (id === "device") return deviceField;
  if (id === "tools") return toolsField;
  return ["system-prompt", "json-schema"].includes(id) ? byId(id, HTMLTextAreaElement) : byId(id, HTMLInputElement);
}

function number(id: string): number {
  const input = byId(id, HTMLInputElement);
  tidy(input);
  return Number(input.value);
}

/** Brings a field into its range; what is no number goes back to its default. */
function tidy(input: HTMLInputElement): void {
  const fallback = DEFAULTS[input.id] ?? "";
  if (input.value.trim() === "" || Number.isNaN(input.valueAsNumber)) {
    input.value = fallback;
    return;
  }
  let value = Math.min(Math.max(input.valueAsNumber, Number(input.min)), Number(input.max));
  if (input.step === "1") value = Math.round(value);
  if (value !== input.valueAsNumber) input.value = String(value);
}
