// Finds cards of the gallery by what is typed, and copies their text. Without it all of them are there, to be copied by hand.
"use strict";

const kinds = [...document.querySelectorAll(".gallery-kind")];
const cards = [...document.querySelectorAll(".gallery-card")].map((element) => ({
  element,
  kind: element.parentElement,
  words: `${element.parentElement.id} ${element.textContent}`.toLowerCase(),
}));

function made(name, attributes, ...children) {
  const element = Object.assign(document.createElement(name), attributes);
  element.append(...children);
  return element;
}

const field = made("input", { type: "search", placeholder: "Find: cosine, llama, Adam, 1-sqrt …", ariaLabel: "Find in the gallery" });
const choice = made("select", { ariaLabel: "Show" }, made("option", { value: "", textContent: "All" }));
for (const kind of kinds) choice.append(made("option", { value: kind.id, textContent: kind.querySelector("h2").firstChild.textContent }));
const count = made("output", {});
const spoken = made("p", { className: "gallery-spoken" });
for (const [element, role] of [[count, "status"], [spoken, "alert"]]) element.setAttribute("role", role);
const tools = made("div", { className: "gallery-tools" }, field, choice, count);
tools.setAttribute("role", "search");

function show() {
  const wanted = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const card of cards) {
    const fits = (!choice.value || card.kind.id === choice.value) && wanted.every((word) => card.words.includes(word));
    card.element.hidden = !fits;
    shown += fits;
  }
  for (const kind of kinds) kind.hidden = !kind.querySelector(".gallery-card:not([hidden])");
  count.textContent = `${shown} of ${cards.length}`;
}

// The clipboard may be refused, as in a frame: then the old way, and if that fails too the text is left selected.
async function copied(text, code) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    getSelection().selectAllChildren(code);
    return document.execCommand("copy");
  }
}

async function copy(card, code, button) {
  const done = await copied(code.textContent, code);
  button.textContent = done ? "Copied" : "Selected";
  button.classList.toggle("done", done);
  spoken.textContent = done ? `Copied ${code.textContent}` : "Selected: press Ctrl+C or ⌘C";
  clearTimeout(card.timer);
  card.timer = setTimeout(() => {
    button.textContent = "Copy";
    button.classList.remove("done");
    spoken.textContent = "";
  }, 2500);
}

for (const card of cards) {
  const code = card.element.querySelector(".gallery-text code");
  const name = card.element.querySelector("h3 code").textContent;
  const button = made("button", { type: "button", textContent: "Copy", ariaLabel: `Copy the text of ${name}` });
  card.element.classList.add("gallery-copies");
  code.after(button);
  button.addEventListener("click", () => copy(card, code, button));
  for (const place of [code, ...card.element.querySelectorAll(".preheat-chart")]) {
    place.addEventListener("click", () => getSelection().isCollapsed && copy(card, code, button));
  }
}

// A link to a card shows it, whatever was being looked for; and the buttons have moved what the browser scrolled to at first.
function arrive() {
  const target = document.getElementById(location.hash.slice(1));
  if (!target?.closest(".gallery-kind")) return;
  if (target.closest("[hidden]")) field.value = choice.value = "";
  show();
  target.scrollIntoView({ behavior: "instant" });
}

field.addEventListener("input", show);
choice.addEventListener("input", show);
addEventListener("hashchange", arrive);
kinds[0].before(tools, spoken);
show();
arrive();
