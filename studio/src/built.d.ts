/** What build.mjs takes from the package: the colours of curves, their dashes in widths of the line, the clocks of a run. */
declare const LIGHT: string[];
declare const DARK: string[];
declare const DASHES: number[][];
declare const CLOCKS: string[];
