// What the files of a Rust crate import from each other, by their texts. Unit tests are left out.

/**
 * For each file those that it imports from, each with the names: `import`s and paths in the code alike. A name counts for the
 * file that defines it, through whatever files hand it on; to hand a name on is no import where the file has no other use for
 * it. What a method calls is not seen: that is its type's.
 *
 * @param {Map<string, string>} texts By paths from the crate's root, as `a/mod.rs`.
 * @returns {Map<string, Map<string, Set<string>>>}
 */
export function rustImports(texts) {
  const modules = new Map([...texts].map(([file, text]) => [moduleOf(file), { file, ...read(text) }]));
  for (const [module, { tests }] of modules) for (const name of tests) modules.delete(`${module}::${name}`);
  for (const [module, { imports }] of modules) {
    const globs = imports.filter((each) => each.name === "*").map((each) => resolve(modules, each.path.slice(0, -3), module));
    for (const { at, name } of globs.filter(Boolean))
      if (!name) for (const each of modules.get(at).defines) imports.push({ path: `${at}::${each}`, name: each, handedOn: true });
  }
  return new Map([...modules].map(([module, { file, imports, code }]) => {
    const used = imports.filter(({ name, handedOn }) => name !== "*" && (!handedOn || new RegExp(`\\b${name}\\b`).test(code)));
    const paths = [...used.map((each) => each.path), ...code.match(/(?<![\w:])(?:\w+::)+\w+/g) ?? []];
    const found = new Map();
    for (const path of paths) {
      const { at, name } = resolve(modules, path, module) ?? {};
      if (!name || at === module) continue;
      const from = modules.get(at).file;
      found.set(from, (found.get(from) ?? new Set()).add(name));
    }
    return [file, found];
  }));
}

const moduleOf = (file) => `crate::${file.slice(0, -3).replaceAll("/", "::")}`.replace(/::(mod|lib)$/, "");

/** A file's imports, what it defines, its modules for tests, and its other code without comments and texts. */
function read(text) {
  let code = text.replace(/\/\/.*|\/\*[^]*?\*\/|\br(#*)"[^]*?"\1|"(?:\\[^]|[^"\\])*"|'(?:\\[^']+|[^\\'])'/g, (part) => (part[0] === "/" ? "" : '""'));
  const tests = [];
  for (let start; (start = code.indexOf("#[cfg(test)]")) >= 0;) {
    const end = endOfItem(code, start + "#[cfg(test)]".length);
    tests.push(...[...code.slice(start, end).matchAll(/^#\[cfg\(test\)\]\s+mod (\w+);/g)].map(([, name]) => name));
    code = code.slice(0, start) + code.slice(end);
  }
  const imports = [];
  code = code.replace(/\b(pub(?:\([^)]+\))? )?use ([^;]+);/g, (_, handedOn, tree) => {
    for (const leaf of leaves(tree.replace(/\s+/g, " "))) {
      const [path, name] = leaf.replace(/::self\b/, "").split(" as ");
      imports.push({ path, name: name ?? path.split("::").at(-1), handedOn: Boolean(handedOn) });
    }
    return "";
  }).replace(/\bmod \w+;/g, "");
  const defines = [...code.matchAll(/\b(?:fn|struct|enum|trait|type|const|static) (\w+)/g)].map(([, name]) => name);
  return { imports, defines, tests, code };
}

/** Behind an item's last brace or semicolon. */
function endOfItem(code, start) {
  for (let [end, depth] = [start, 0]; end < code.length; end++) {
    depth += "([{".includes(code[end]) - ")]}".includes(code[end]);
    if (depth === 0 && ";}".includes(code[end])) return end + 1;
  }
  return code.length;
}

/** `a::{b, c::{d, e as f}}` → `a::b`, `a::c::d`, `a::c::e as f`. */
function leaves(tree) {
  const flat = tree.replace(/([\w:]*)\{([^{}]*)\}/, (_, stem, parts) =>
    parts.split(",").filter((part) => part.trim()).map((part) => stem + part.trim()).join(","));
  return flat === tree ? tree.split(",").map((leaf) => leaf.trim()) : leaves(flat);
}

/** The module that defines what a path of module `from` names, and the name; none where that is a module. Other crates' are undefined. */
function resolve(modules, path, from) {
  const rest = path.split("::");
  let at = rest[0] === "crate" ? "crate" : from;
  const inCrate = ["crate", "self", "super"].includes(rest[0]);
  if (rest[0] === "crate" || rest[0] === "self") rest.shift();
  for (; rest[0] === "super"; rest.shift()) at = at.slice(0, at.lastIndexOf("::"));
  const here = at === from && !inCrate && !modules.has(`${at}::${rest[0]}`);
  while (modules.has(`${at}::${rest[0]}`)) at += `::${rest.shift()}`;
  const imported = modules.get(at).imports.find((each) => each.name === rest[0] && each.path.split("::")[0] !== each.name);
  if (imported) return resolve(modules, [imported.path, ...rest.slice(1)].join("::"), at);
  return here ? undefined : { at, name: rest[0] };
}
