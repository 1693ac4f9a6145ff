// One script and one style sheet, committed in the package: the same sources give the same bytes.
import { build } from "esbuild";

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
});
