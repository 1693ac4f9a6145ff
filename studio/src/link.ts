/** A document as the part of an address after #: base64url of its JSON in UTF-8, what is at its default left out. */
import type { Document, RunFields, Written } from "./protocol";

export const NO_RUN: RunFields = {
  total: "",
  clock: "step",
  steps_per_epoch: "",
  samples_per_step: "",
  tokens_per_step: "",
  seconds_per_step: "",
};
export const NOTHING_WRITTEN: Written = { name: "", text: "", peak: "", run: null };
const EMPTY: Document = {
  schedules: [],
  run: NO_RUN,
  peak: "",
  line: "",
  chosen: 0,
  axis: "updates",
  log: false,
  difference: false,
  view: null,
};

/** What a damaged link is answered with. */
export class LinkError extends Error {}

export function toHash(document: Document): string {
  const schedules = document.schedules.map(({ given, ...written }) => ({
    ...changed(written, NOTHING_WRITTEN),
    ...(written.run && { run: changed(written.run, NO_RUN) }),
    ...(given && { given }),
  }));
  const short = { ...changed(document, EMPTY), schedules, run: changed(document.run, NO_RUN) };
  const bytes = new TextEncoder().encode(JSON.stringify(short));
  const binary = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** The document of a hash, with or without its #; throws LinkError for what is none. */
export function fromHash(hash: string): Document {
  const text = hash.replace(/^#/, "").replaceAll("-", "+").replaceAll("_", "/");
  try {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    return documentFrom(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)));
  } catch {
    throw new LinkError("This link is damaged: what follows # is not a schedule. Copy it again, whole.");
  }
}

/** A document of whatever JSON says: what is missing is at its default, and what is of another kind is refused. */
export function documentFrom(found: any): Document {
  const schedules = found.schedules.map((written: any) => ({
    ...filled(written, NOTHING_WRITTEN),
    run: written.run ? filled(written.run, NO_RUN) : null,
    ...(Number.isFinite(written.position) && { position: written.position }),
    ...(written.given === true && { given: true }),
  }));
  if (!schedules.length) throw new LinkError("no schedule");
  const document = { ...filled({ ...found, run: undefined, schedules: undefined }, EMPTY), schedules };
  document.run = filled(found.run ?? {}, NO_RUN);
  document.view = found.view?.every?.(Number.isFinite) && found.view.length === 2 && found.view[0] < found.view[1] ? found.view : null;
  document.chosen = Math.min(Math.max(0, Math.trunc(document.chosen)), schedules.length - 1);
  return document;
}

function changed<T extends object>(given: T, plain: T): Partial<T> {
  const entries = Object.entries(given).filter(([key, value]) => value !== plain[key as keyof T]);
  return Object.fromEntries(entries) as Partial<T>;
}

function filled<T extends object>(given: any, plain: T): T {
  if (typeof given !== "object" || given === null) throw new LinkError("no mapping");
  const entries = Object.entries(plain).map(([key, value]) => {
    const found = given[key];
    if (found === undefined || found === null || value === null || typeof value === "object") return [key, value];
    if (typeof found !== typeof value) throw new LinkError(key);
    return [key, found];
  });
  return Object.fromEntries(entries) as T;
}
