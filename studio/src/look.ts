/** How curves look: the colours and dashes of every picture of preheat, so that a curve is known again. */

export const WIDTH = 2; // of a line, in pixels of the page

export const colour = (index: number, dark: boolean): string => {
  const colours = dark ? DARK : LIGHT;
  return colours[index % colours.length] as string;
};

/** Dash and gap in pixels; empty for a whole line. */
export const dash = (index: number): number[] => (DASHES[index % DASHES.length] as number[]).map((part) => part * WIDTH);

/** What is drawn beside curves; the style sheet has the same as --muted and --card. */
export const ink = (dark: boolean) =>
  dark
    ? { text: "#a3adba", grid: "#2a313b", band: "rgba(255,255,255,.035)", pointed: "rgba(108,178,255,.16)", paper: "#181d24" }
    : { text: "#55606e", grid: "#e6e9ed", band: "rgba(20,40,70,.035)", pointed: "rgba(11,99,181,.12)", paper: "#fff" };
