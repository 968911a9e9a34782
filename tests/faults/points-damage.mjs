// What is kept is not what was written: notes that are none, data that is cut, grown, gone or empty. The file is then
// read from the network, and kept as it should be.

import { createHash } from "node:crypto";
import { MODELS } from "./models.mjs";
import { text } from "./server.mjs";

const { gguf, folder } = MODELS;

const DAMAGES = {
  gone: (_, file) => file.remove(),
  empty: () => text(""),
  "a-third": (bytes) => bytes.slice(0, bytes.length / 3),
  "a-byte-less": (bytes) => bytes.slice(0, -1),
  // Longer than the whole of it, even where it is the half of a file.
  longer: (bytes) => new Uint8Array([...bytes, ...bytes, ...bytes]),
};
const NOTES = {
  null: () => text("null"),
  list: () => text("[]"),
  text: () => text('"notes"'),
  number: () => text("7"),
  brace: () => text("{"),
  "no-text": () => new Uint8Array([0xff, 0xfe, 0, 1]),
  "another-format": (bytes) => edited(bytes, () => ({ format: 999, complete: true })),
  "format-of-text": (bytes) => edited(bytes, ({ format, ...rest }) => ({ ...rest, format: `${format}` })),
  "other-types": (bytes) => edited(bytes, (notes) => Object.fromEntries(Object.keys(notes).map((name) => [name, {}]))),
  "all-null": (bytes) => edited(bytes, (notes) => Object.fromEntries(Object.keys(notes).map((name) => [name, null]))),
  "without-size": (bytes) => edited(bytes, ({ size, ...rest }) => rest),
  "negative-size": (bytes) => edited(bytes, (notes) => ({ ...notes, size: -1 })),
  "another-address": (bytes) => edited(bytes, (notes) => ({ ...notes, url: "http://elsewhere.test/x.gguf" })),
};

const edited = (bytes, change) => text(JSON.stringify(change(JSON.parse(new TextDecoder().decode(bytes)))));
const isNotes = ({ path }) => path.endsWith(".json");

export async function points(world) {
  const found = [];
  for (const place of [{ model: gguf, state: "kept" }, { model: folder, state: "kept" }, { model: gguf, state: "resumed" }]) {
    await world.begin(place);
    const files = world.store.files().map(isNotes);
    world.end();
    for (const [at, notes] of files.entries()) {
      const ways = notes ? { ...DAMAGES, ...NOTES } : DAMAGES;
      for (const [name, damage] of Object.entries(ways)) found.push(damaged(place, at, notes, name, damage));
    }
  }
  return [...found, ...flips()];
}

function damaged(place, at, notes, name, damage) {
  const kind = `damage/${place.model.name}-${place.state}/${notes ? "notes" : "data"}`;
  return { ...place, kind, name: `${kind}/${at}-${name}`, keeps: false, arm: ({ store }) => spoil(store, store.files()[at], damage) };
}

function spoil(store, file, damage) {
  const bytes = damage(file.content.bytes, file);
  if (bytes instanceof Uint8Array) store.overwrite(file.content, bytes);
}

/** One bit of the data, where the caller knows the hash. */
function flips() {
  const { bytes } = gguf.versions[0]["gguf/tiny.gguf"];
  const integrity = { "tiny.gguf": createHash("sha256").update(bytes).digest("hex") };
  return ["kept", "resumed"].flatMap((state) => [0, 0.25, 0.49].map((part) => {
    const kind = `damage/gguf-${state}/flip`;
    const flip = (bytes) => {
      const changed = bytes.slice();
      changed[Math.floor(part * changed.length)] ^= 1;
      return changed;
    };
    return {
      model: gguf, state, kind, keeps: false,
      name: `${kind}/at-${part}`,
      options: { integrity },
      arm: ({ store }) => spoil(store, store.files().find((file) => !isNotes(file)), flip),
    };
  }));
}
