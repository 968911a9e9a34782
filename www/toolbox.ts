// The tools that the chat's model may call: they need no network and change nothing.

import { AzulejoError, type Tool } from "./azulejo/index.js";

interface Kept extends Tool {
  run(given: Record<string, unknown>): string;
}

const TOOLS: Kept[] = [
  {
    name: "calculate",
    description: "Computes an expression of numbers, + - * / ^ and parentheses.",
    parameters: { type: "object", properties: { expression: { type: "string" } }, required: ["expression"] },
    run: ({ expression }) => String(calculate(String(expression))),
  },
  {
    name: "now",
    description: "The date and time where the user is.",
    parameters: { type: "object", properties: {} },
    run: () => new Date().toString(),
  },
];

/** As the model is told of them. */
export const tools: Tool[] = TOOLS.map(({ run: _, ...tool }) => tool);

/** What a tool says to a call; what is wrong with the call is said too, for the model to do better. */
export function call(name: string, given: unknown): string {
  const tool = TOOLS.find((each) => each.name === name);
  if (!tool) return `error: there is no tool ${name}`;
  try {
    return tool.run((typeof given === "object" && given !== null ? given : {}) as Record<string, unknown>);
  } catch (error) {
    return `error: ${(error as Error).message}`;
  }
}

/** Sums, products and powers, by descent; no program is ever run. */
export function calculate(text: string): number {
  const pieces = text.match(/\d+(?:\.\d+)?(?:e[+-]?\d+)?|\*\*|[-+*/^()]|\S/gi) ?? [];
  let at = 0;
  const wrong = () => new AzulejoError("invalid-argument", `${text}: unexpected ${pieces[at] ?? "end"}`);
  const atom = (depth: number): number => {
    if (depth > 100) throw wrong();
    const piece = pieces[at];
    if (piece === "-") return at += 1, -power(depth + 1);
    if (piece === "(") {
      at += 1;
      const value = sum(depth + 1);
      if (pieces[at] !== ")") throw wrong();
      at += 1;
      return value;
    }
    if (piece === undefined || !/^\d/.test(piece)) throw wrong();
    at += 1;
    return Number(piece);
  };
  const power = (depth: number): number => {
    const base = atom(depth);
    if (pieces[at] !== "^" && pieces[at] !== "**") return base;
    at += 1;
    return base ** power(depth + 1);
  };
  const product = (depth: number): number => {
    let value = power(depth);
    for (let sign = pieces[at]; sign === "*" || sign === "/"; sign = pieces[at]) {
      at += 1;
      value = sign === "*" ? value * power(depth) : value / power(depth);
    }
    return value;
  };
  const sum = (depth: number): number => {
    let value = product(depth);
    for (let sign = pieces[at]; sign === "+" || sign === "-"; sign = pieces[at]) {
      at += 1;
      value = sign === "+" ? value + product(depth) : value - product(depth);
    }
    return value;
  };
  const value = sum(0);
  if (at < pieces.length) throw wrong();
  return value;
}
