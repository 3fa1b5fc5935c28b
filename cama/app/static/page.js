"use strict";
// The page: it shows what the server says as text, never as markup, since names and metadata may be hostile.

const texts = JSON.parse(document.getElementById("texts").textContent);
const list = document.getElementById("pictures");
const said = document.getElementById("said");
const cards = new Map(); // by the id of a photograph: its element, and what it shows
const removed = new Set();
const AMPLIFIED = 12;
let followed = false; // whether something was being changed when the server was asked last

function say(text, bad = false) {
  said.textContent = text;
  said.classList.toggle("bad", bad);
}

function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, key) => (key in values ? values[key] : whole));
}

function make(tag, options = {}, ...children) {
  const element = Object.assign(document.createElement(tag), options);
  element.append(...children);
  return element;
}

async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    say(texts.gone, true);
    throw new Error(texts.gone);
  }
  const answer = await response.json().catch(() => ({ error: `${response.status}` }));
  if (!response.ok) {
    say(answer.error, true);
    throw new Error(answer.error);
  }
  return answer;
}

async function add(files) {
  for (const file of files) {
    say(fill(texts.adding, { name: file.name }));
    try {
      show(await ask("/pictures", { method: "POST", body: file, headers: { "X-Name": encodeURIComponent(file.name) } }));
      say("");
    } catch {
      // said already; the others are still read
    }
  }
}

function told(record) {
  const rows = [];
  for (const leak of record.leaks) {
    if (leak.tells !== "settings") rows.push([texts[leak.tells] || leak.tells, `${leak.where}: ${leak.value}`]);
  }
  const settings = record.leaks.filter((leak) => leak.tells === "settings").length;
  if (settings) rows.push([texts.settings_leak, String(settings)]);
  if (record.decodes && record.decodes !== "whole") rows.push([texts.faults, texts.damaged]);
  for (const fault of record.faults) rows.push([texts.faults, fault]);
  for (const warning of record.warnings) rows.push([texts.warnings, warning]);
  if (!rows.length) return make("p", { textContent: texts.tells_nothing });
  const table = make("dl");
  for (const [name, value] of rows) table.append(make("dt", { textContent: name }), make("dd", { textContent: value }));
  table.tabIndex = 0; // it may scroll
  return table;
}

function pictures(picture) {
  const own = make("figure", {},
    make("img", { src: `/pictures/${picture.id}/before`, alt: texts.before, loading: "lazy" }),
    make("figcaption", { textContent: texts.photograph }));
  own.firstChild.addEventListener("error", () => own.remove()); // it cannot be decoded, which is said beside it
  return make("div", { className: "pictures" }, own, ...hidden(picture));
}

function hidden(picture) {
  if (picture.told.container !== "JPEG") return [];
  return picture.told.thumbnails
    .filter((one) => !one.where.includes(" > ")) // those within others are told, not shown
    .map((one, number) => [one, number])
    .filter(([one]) => one.readable)
    .map(([one, number]) => make("figure", {},
      make("img", { src: `/pictures/${picture.id}/thumbnail-${number}`, alt: `${texts.hidden} (${one.where})`, loading: "lazy" }),
      make("figcaption", { textContent: `${texts.hidden} (${one.where}): ${texts[one.verdict]}` })));
}

function slider(picture) {
  const images = ["before", "after"].map((what) => make("img", { src: `/pictures/${picture.id}/${what}`, alt: texts[what] }));
  const frame = make("div", { className: "slider" }, ...images);
  const range = make("input", { type: "range", min: 0, max: 100, value: 50 });
  range.setAttribute("aria-label", texts.compare);
  range.addEventListener("input", () => frame.style.setProperty("--at", `${range.value}%`));
  const ends = make("div", { className: "ends" }, ...["before", "after"].map((what) => make("small", { textContent: texts[what] })));
  return make("div", {}, frame, range, ends);
}

function after(picture) {
  const { record, state } = picture;
  if (state === "waiting" || state === "working") {
    const bar = make("progress", { max: 1, value: picture.share });
    bar.setAttribute("aria-label", texts[state]);
    return [make("p", { textContent: texts[state] }), bar];
  }
  if (state === "failed") return [make("p", { className: "bad", lang: "en", textContent: record.error })];
  if (state !== "done") return [make("p", { textContent: texts.not_yet })];
  const percent = (share) => `${Math.round(100 * share)} %`;
  const words = { target: record.target.replace("_", " "), before: percent(record.before.target), after: percent(record.after.target) };
  const parts = [
    slider(picture),
    make("p", { textContent: `${fill(texts.aimed, words)} ${fill(texts.taken, words)}` }),
  ];
  if (record.psnr !== null) parts.push(make("p", { textContent: fill(texts.level, record) }));
  for (const warning of record.warnings) parts.push(make("p", { className: "bad" }, `${texts.warnings}: `, make("span", { lang: "en", textContent: warning })));
  const title = fill(texts.difference, { times: AMPLIFIED });
  const difference = make("img", { src: `/pictures/${picture.id}/difference`, alt: title, loading: "lazy" });
  const details = make("details", {}, make("summary", { textContent: title }), difference);
  difference.addEventListener("error", () => details.remove()); // of a cropped or smaller picture there is none
  parts.push(make("a", { className: "button", href: `/pictures/${picture.id}/result`, download: record.output, textContent: texts.save }));
  parts.push(details);
  return parts;
}

function show(picture) {
  const key = JSON.stringify([picture.state, picture.record]);
  let card = cards.get(picture.id);
  if (!card) {
    const remove = make("button", { type: "button", className: "plain", textContent: texts.remove });
    remove.setAttribute("aria-label", `${texts.remove}: ${picture.told.file}`);
    const right = make("section", {});
    const element = make("li", {},
      make("div", { className: "name" }, make("h2", { textContent: picture.told.file }), remove),
      make("div", { className: "sides" },
        make("section", {}, make("h3", { textContent: texts.tells }), pictures(picture), told(picture.told)), right));
    remove.addEventListener("click", async () => {
      const next = element.nextElementSibling || element.previousElementSibling;
      removed.add(picture.id);
      forget(picture.id);
      (next ? next.querySelector("button.plain") : input).focus();
      await ask(`/pictures/${picture.id}`, { method: "DELETE" });
      say(fill(texts.removed, { name: picture.told.file }));
    });
    list.append(element);
    card = { element, right, key: "" };
    cards.set(picture.id, card);
  }
  const bar = card.right.querySelector("progress");
  if (key === card.key && bar) bar.value = picture.share;
  if (key !== card.key) {
    card.right.replaceChildren(make("h3", { textContent: texts.after_title }), ...after(picture));
    card.key = key;
  }
  card.picture = picture;
  refresh();
}

function refresh() {
  const pictures = [...cards.values()].map((card) => card.picture);
  const busy = pictures.some((picture) => picture.state === "waiting" || picture.state === "working");
  document.getElementById("empty").hidden = pictures.length > 0;
  document.getElementById("change").disabled = !pictures.length || busy;
  document.getElementById("all").hidden = !pictures.some((picture) => picture.state === "done");
  return busy;
}

function progress() {
  const states = [...cards.values()].map((card) => card.picture.state).filter(Boolean);
  const [done, failed] = ["done", "failed"].map((state) => states.filter((one) => one === state).length);
  const text = done + failed < states.length ? texts.progress : texts.finished;
  const sentence = fill(text, { done: done + failed, all: states.length, changed: done, failed });
  if (states.length && said.textContent !== sentence) say(sentence, failed > 0 && done + failed === states.length);
}

function forget(id) {
  const card = cards.get(id);
  if (!card) return;
  card.element.remove();
  cards.delete(id);
  refresh();
}

async function follow() {
  const pictures = (await ask("/pictures")).filter((picture) => !removed.has(picture.id));
  for (const id of [...cards.keys()]) if (!pictures.some((picture) => picture.id === id)) forget(id);
  for (const picture of pictures) show(picture);
  const busy = refresh();
  if (busy || followed) progress();
  followed = busy;
  if (busy) setTimeout(follow, 500);
}

const form = document.getElementById("settings");
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const settings = Object.fromEntries(new FormData(form));
  say("");
  await ask("/anonymize", { method: "POST", body: JSON.stringify({ pictures: [...cards.keys()], settings }) });
  follow();
});

const input = document.getElementById("files");
input.addEventListener("change", async () => {
  await add(input.files);
  input.value = "";
});
const drop = document.getElementById("drop");
for (const kind of ["dragenter", "dragover"]) {
  document.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
}
for (const kind of ["dragleave", "drop"]) {
  document.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.remove("over"); });
}
document.addEventListener("drop", (event) => add(event.dataTransfer.files));
document.addEventListener("paste", (event) => { if (event.clipboardData.files.length) add(event.clipboardData.files); });

follow();
