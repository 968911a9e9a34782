"use client";

import { useEffect, useState } from "react";
import { CausalLM, Engine } from "azulejo";

/** Loads the model that the address names, and writes how a sentence goes on. */
export default function Answer() {
  const [text, setText] = useState("");
  useEffect(() => { answer((piece) => setText((before) => before + piece)); }, []);
  return <pre id="answer">{text}</pre>;
}

async function answer(write) {
  const { dataset } = document.body;
  if (dataset.state !== undefined) return; // React's strict mode runs effects twice
  dataset.state = "started";
  const asked = Object.fromEntries(new URLSearchParams(location.search));
  try {
    const engine = await Engine.create({ device: asked.device });
    dataset.device = JSON.stringify(engine.device);
    const lm = await CausalLM.load(asked.model, { engine, contextLength: 64 });
    for await (const piece of lm.generate("The capital of France is", { maxTokens: 8, regex: asked.regex })) write(piece.text);
    await engine.dispose();
    dataset.state = "done";
  } catch (error) {
    dataset.error = `${error.code}: ${error.stack}`;
    dataset.state = "failed";
  }
}
