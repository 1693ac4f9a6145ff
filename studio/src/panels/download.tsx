/** The picture that Python draws of what is seen, as a file: SVG as it comes, PNG as the browser paints it. */
import { refused, type Document } from "../protocol";
import { useStore } from "../store";

const WIDTH = 900;
const HEIGHT = 500;
const SHARPNESS = 2; // pixels of the PNG for one of the SVG
const LONGEST = 60;

/** A file name that tells the schedule: what a shell and every system take. */
export function named(held: Document, kind: string): string {
  const words = held.schedules.map((one) => one.name || one.text).join(" vs ");
  const plain = words.replace(/[^A-Za-z0-9.%=]+/g, "-").slice(0, LONGEST).replace(/^[-.]+|[-.]+$/g, "");
  return `${plain || "schedule"}.${kind}`;
}

function save(content: Blob, name: string): void {
  const address = URL.createObjectURL(content);
  const link = Object.assign(document.createElement("a"), { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

async function painted(svg: string): Promise<Blob> {
  const image = new Image(WIDTH * SHARPNESS, HEIGHT * SHARPNESS);
  // without a size of its own an SVG is painted in that of the element, in some browsers not at all
  image.src = `data:image/svg+xml,${encodeURIComponent(svg.replace("<svg ", `<svg width="${image.width}" height="${image.height}" `))}`;
  await image.decode();
  const canvas = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height });
  const context = canvas.getContext("2d")!;
  context.fillStyle = matchMedia("(prefers-color-scheme: dark)").matches ? "#15191e" : "#fff"; // the SVG's ink follows the system
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((done, failed) => canvas.toBlob((blob) => (blob ? done(blob) : failed(new Error("no picture"))), "image/png"));
}

export function Download() {
  const store = useStore();
  const get = async (kind: "svg" | "png") => {
    const held = store.document.value;
    const answer = await store.ask("picture", { document: held, width: WIDTH, height: HEIGHT });
    if (answer === null) return;
    if (refused(answer)) return store.say(answer.error.message);
    try {
      save(kind === "svg" ? new Blob([answer.svg], { type: "image/svg+xml" }) : await painted(answer.svg), named(held, kind));
      store.say(`Saved ${named(held, kind)}.`);
    } catch {
      store.say("This browser could not paint the picture; take the SVG.");
    }
  };
  return (
    <span class="group" role="group" aria-label="Download a picture">
      <button type="button" onClick={() => get("svg")}>
        SVG
      </button>
      <button type="button" onClick={() => get("png")}>
        PNG
      </button>
    </span>
  );
}
