// Finds a message of preheat on the page of errors by any part of it, with the values that it had: compared word by word, where ‹›
// stands for any words; rare words count most. Without it all messages are there, to be read.
"use strict";

const APART = 0.6; // what a typed word costs that is not in the message
const TAKEN = 0.05; // what it costs where ‹› stands for it
const PASSED = 1; // what a word of the message costs that was not typed, between others that were
const BEGUN = 0.2; // what it is worth to begin where a message begins
const RARE = 2.5; // what a word tells at most: one in common is no more than a few that stand together
const NEAR = 0.5; // from which share of the best one's worth on a message is shown
const MOST = 200; // words that are compared

const words = (text) => text.toLowerCase().match(/‹›|[\p{L}\p{N}_]+(?:\.[\p{L}\p{N}_]+)*|>>|[<>=%*+@/]/gu) || [];

// Messages made ready: their words, ‹› for what is known only then, and how much a word tells.
function prepared(messages) {
  const bare = (text) => text.replace("‹; did you mean …?›", "; did you mean ‹›; known: ‹›").replace(/‹[^›]*›/g, "‹›");
  const every = messages.map((text) => words(bare(text)));
  const often = new Map();
  for (const one of every) for (const word of new Set(one)) often.set(word, 1 + (often.get(word) || 0));
  return { every, worth: (word) => Math.min(RARE, Math.log((every.length + 1) / (often.get(word) || every.length))) };
}

// What the best way of laying the typed words along a message is worth.
function along(typed, message, worth) {
  let row = [BEGUN, ...message.map(() => 0)];
  typed.forEach((word, at) => {
    const last = at === typed.length - 1; // it may be unfinished
    const next = [row[0] - APART];
    message.forEach((one, j) => {
      const open = one === "‹›", same = one === word || (last && word.length > 1 && one.startsWith(word));
      const taken = open ? row[j] - TAKEN : same ? row[j] + worth(one) : -Infinity;
      next.push(Math.max(taken, row[j + 1] - (open ? TAKEN : APART), next[j] - (open ? 0 : PASSED)));
    });
    row = next;
  });
  return Math.max(...row);
}

// What typed words are worth that are all in a message, in any order.
function scattered(typed, message, worth) {
  const fits = typed.map((word) => message.find((one) => one.startsWith(word)));
  return fits.includes(undefined) ? 0 : 0.9 * fits.reduce((sum, one) => sum + worth(one), 0);
}

// The numbers of the messages that fit, the best first; all of them where nothing was typed.
function found({ every, worth }, asked) {
  const typed = words(asked.replace(/^.*\bcolumn \d+: /s, "").replace(/; in ['"].*$/s, "")).slice(0, MOST); // any may be said of text
  if (!typed.length) return every.map((_, at) => at);
  const fits = every.map((one, at) => ({ at, value: Math.max(along(typed, one, worth), scattered(typed, one, worth)) }));
  const least = NEAR * Math.max(...fits.map((one) => one.value));
  return fits.filter((one) => one.value > BEGUN && one.value >= least).sort((a, b) => b.value - a.value || a.at - b.at).map((one) => one.at);
}

function installed() {
  const field = document.getElementById("preheat-find"), count = document.getElementById("preheat-found");
  const lists = [...document.querySelectorAll('[id^="messages-"] > ul.preheat-messages')];
  const items = lists.flatMap((list) => [...list.children]);
  const ready = prepared(items.map((item) => [...item.querySelectorAll(".message, .cure")].map((one) => one.textContent).join("; ")));
  const hits = document.getElementById("preheat-hits");
  function look() {
    const asked = field.value.trim(), fits = found(ready, asked);
    hits.replaceChildren(...(asked ? fits.map((at) => items[at].cloneNode(true)) : []));
    for (const list of lists) list.parentElement.hidden = Boolean(asked);
    count.textContent = `${fits.length} ${fits.length === 1 ? "message" : "messages"}`;
    if (!fits.length) count.textContent += ": type fewer words, or others";
  }
  field.addEventListener("input", look);
  look();
}

if (typeof module === "undefined") installed();
else module.exports = { prepared, found };
