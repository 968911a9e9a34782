// JSON schemas: random ones, whose values are short, and those of the JSON Schema Test Suite.

import { readFileSync, readdirSync } from "node:fs";
import Ajv2020 from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { seeded } from "./tiny-model.mjs";

/** Number `seed` of endlessly many. */
export function randomSchema(seed) {
  const random = seeded(seed + 1);
  for (let i = 0; i < 9; i++) random(); // The first few of neighbouring seeds are near to each other.
  const below = (count) => Math.floor(random() * count);
  const word = () => ["name", "age", "ok", "x", "items", "größe"][below(5)];
  const leaf = () => [
    () => ({ type: "string", maxLength: 1 + below(6), ...(random() < 0.3 && { minLength: 1 }) }),
    () => ({ type: "integer", minimum: -below(100), maximum: 1 + below(1000) }),
    () => ({ type: "number", minimum: 0, exclusiveMaximum: 1 + below(9), multipleOf: 0.5 }),
    () => ({ type: "boolean" }),
    () => ({ type: ["null", "boolean"] }),
    () => ({ enum: ["red", "green", below(5), null, [1, { a: "b" }]].slice(below(3)) }),
    () => ({ const: { kind: word() } }),
    () => ({ type: "string", pattern: `^[a-${"bcdef"[below(5)]}]{1,${2 + below(3)}}$` }),
    () => ({ type: "string", format: ["date", "time", "ipv4", "uuid"][below(4)] }),
  ][below(9)]();
  const schema = (depth) => {
    const kind = depth === 0 ? 0 : below(5);
    if (kind === 0) return leaf();
    if (kind === 1) return { type: "array", items: schema(depth - 1), maxItems: 2, ...(random() < 0.4 && { minItems: 1 }) };
    if (kind === 2) return { anyOf: [schema(depth - 1), schema(depth - 1)] };
    const names = [...new Set([word(), word(), word()])];
    return {
      type: "object",
      properties: Object.fromEntries(names.map((name) => [name, schema(depth - 1)])),
      required: names.filter(() => random() < 0.6),
      additionalProperties: false,
    };
  };
  return schema(2);
}

/** Those of tests/json-schema, file by file. */
export function suiteSchemas() {
  const folder = new URL("../json-schema/", import.meta.url);
  const files = readdirSync(folder).filter((name) => name.endsWith(".json"));
  return files.flatMap((name) => JSON.parse(readFileSync(new URL(name, folder), "utf8")).map(({ description, schema }) => ({ name: `${name}: ${description}`, schema })));
}

/** Why a value is not of a schema, by ajv; none where it is. */
export function invalidity(schema, value) {
  // Of a schema by itself: some of the suite's have the same name. Multiples are counted in floats.
  const ajv = addFormats(new Ajv2020({ strict: false, logger: false, multipleOfPrecision: 6 }));
  const { $id: _, ...rest } = schema;
  const validate = ajv.compile(rest);
  return validate(value) ? undefined : ajv.errorsText(validate.errors);
}
