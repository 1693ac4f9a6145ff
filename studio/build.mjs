// One script and one style sheet, committed in the package: the same sources give the same bytes.
import { readFileSync } from "node:fs";
import { build } from "esbuild";

/** A tuple that a module of the package names, as JSON: colours and clocks are written down there, and only there. */
function tuple(module, name) {
  const source = readFileSync(new URL(`../src/preheat/${module}.py`, import.meta.url), "utf8");
  const found = new RegExp(`^${name} = \\((.*)\\)$`, "m").exec(source);
  if (!found) throw new Error(`${module}.py has no tuple ${name} on one line`);
  const whole = found[1].replace(/\*(\w+)/g, (_, inner) => tuple(module, inner).slice(1, -1));
  return `[${whole.replaceAll("(", "[").replaceAll(")", "]").replace(/,\s*$/, "")}]`.replace(/\b(\d+)\.0\b/g, "$1");
}

/** A mapping of texts that a module of the package names, as JSON. */
function mapping(module, name) {
  const source = readFileSync(new URL(`../src/preheat/${module}.py`, import.meta.url), "utf8");
  const found = new RegExp(`^${name} = \\{\\n((?: {4}".*": ".*",\\n)+)\\}$`, "m").exec(source);
  if (!found) throw new Error(`${module}.py has no mapping ${name} of texts, one a line`);
  return `{${found[1].trim().replace(/,$/, "")}}`;
}

/** A text that a module of the package names, as JSON. */
function text(module, name) {
  const source = readFileSync(new URL(`../src/preheat/${module}.py`, import.meta.url), "utf8");
  const found = new RegExp(`^${name} = (".*")$`, "m").exec(source);
  if (!found) throw new Error(`${module}.py has no text ${name} on one line`);
  return found[1];
}

await build({
  entryPoints: { studio: "src/main.tsx" },
  outdir: "../src/preheat/studio/page",
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  charset: "utf8",
  legalComments: "inline",
  jsx: "automatic",
  jsxImportSource: "preact",
  loader: { ".css": "css" },
  define: {
    LIGHT: tuple("plots/panel", "LIGHT"),
    DARK: tuple("plots/panel", "DARK"),
    DASHES: tuple("plots/panel", "DASHES"),
    CLOCKS: tuple("core/spans", "CLOCKS"),
    LABELS: mapping("studio/document", "LABELS"),
    FIRST_TEXT: text("studio/starting", "FIRST"),
    FIRST_TOTAL: text("studio/starting", "ITS_TOTAL"),
  },
});
