/** What build.mjs takes from the package: the colours of curves, their dashes in widths of the line, clocks, what fields are called,
 * and what the page begins with. */
declare const LIGHT: string[];
declare const DARK: string[];
declare const DASHES: number[][];
declare const CLOCKS: string[];
declare const LABELS: Record<keyof import("./protocol").RunFields | "peak", string>;
declare const FIRST_TEXT: string;
declare const FIRST_TOTAL: string;
