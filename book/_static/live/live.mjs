// Makes the boxes of a page answer. Nothing is loaded until one is touched.

import { element, strangers, tagged } from "./drawing.mjs";
import { entitiesOf, loadModel, missing } from "./model.mjs";
import { loadSeparate } from "./separate.mjs";

const BASE = new URL(".", import.meta.url);
const PAUSE = 250; // milliseconds without typing
const LONGEST = 1000; // characters of both sentences; of fewer the model still counts the pieces

for (const box of document.querySelectorAll(".live-model")) enliven(box);

function enliven(box) {
  const find = role => box.querySelector(`[data-role=${role}]`);
  const form = find("form");
  const status = find("status");
  const why = missing();
  if (why) {
    find("cannot").textContent = `The model cannot answer here: ${why}.`;
    return;
  }
  const folder = new URL(`${box.dataset.model}/`, BASE);
  find("cannot").hidden = true;
  form.hidden = false;
  for (const link of box.querySelectorAll("a[data-file]")) link.href = new URL(link.dataset.file, folder);
  const [first, second] = ["first", "second"].map(find);
  let loading;
  let timer;
  let turn = 0;

  const load = () => (loading ??= begin().catch(error => {
    loading = undefined;
    find("progress").hidden = true;
    status.textContent = `The model could not be loaded: ${error.message}. Answer tries again.`;
    throw error;
  }));

  const begin = () => shown(box.dataset.bytes, "the model", async tell => {
    if (box.dataset.kind !== "writer") return loadModel(folder, tell);
    return (await import("./writing.mjs")).loadWriting(folder, tell); // such a model shows what it does itself
  });

  async function shown(bytes, what, loadWith) {
    const bar = find("progress");
    const total = Number(bytes);
    let come = 0;
    bar.hidden = false;
    status.textContent = `Loading ${what}, ${megabytes(total)} MB.`;
    const model = await loadWith(more => {
      come += more;
      bar.value = Math.min(1, come / total);
    });
    bar.hidden = true;
    status.textContent = "The model is ready.";
    return model;
  }

  const toggle = find("separate");
  let separate;
  const loadOthers = joint => (separate ??= shown(box.dataset.separateBytes, "a model per task", tell =>
    loadSeparate(folder, JSON.parse(box.dataset.separate), joint, tell)).catch(error => {
    separate = undefined;
    find("progress").hidden = true;
    throw new Error(`The models per task could not be loaded: ${error.message}. Answer tries again.`);
  }));
  toggle?.addEventListener("change", () => answer());

  async function answer() {
    const mine = ++turn;
    const model = await load().catch(() => undefined);
    if (!model || mine !== turn) return;
    const [text, other] = [first, second].map(input => input?.value.trim() ?? "");
    if (!text) return without("Type a sentence.");
    const letters = text.length + other.length;
    if (letters > LONGEST) return without(`Too long: ${letters} characters; at most ${LONGEST} are read.`);
    try {
      if (model.show) return await model.show(text, find("result"), status, () => mine === turn);
      const found = await model.answer(text, other);
      const others = toggle?.checked ? await loadOthers(model) : undefined;
      const theirs = await others?.answer(text, other);
      if (mine !== turn) return;
      if (theirs) compare(box, find("result"), status, text, [[model, found], [others, theirs]]);
      else show(box, find("result"), status, model, text, found);
    } catch (error) {
      if (mine === turn) without(error.message);
    }
  }

  // An answer to another sentence is not left below what is said of this one.
  function without(why) {
    find("result").replaceChildren();
    status.textContent = why;
  }

  const soon = () => {
    load().catch(() => {}); // on focus it would load for whoever only passes by keyboard
    clearTimeout(timer);
    timer = setTimeout(answer, PAUSE);
  };
  for (const input of [first, second]) {
    input?.addEventListener("input", soon);
  }
  form.addEventListener("submit", event => {
    event.preventDefault();
    clearTimeout(timer);
    answer();
  });
  for (const button of box.querySelectorAll("button[data-first]")) {
    button.addEventListener("click", () => {
      first.value = button.dataset.first;
      if (second) second.value = button.dataset.second ?? "";
      clearTimeout(timer);
      answer();
    });
  }
}

const megabytes = bytes => (bytes / 1e6).toFixed(1);
const percent = value => `${(100 * value).toFixed(value > 0.9995 || value < 0.0005 ? 0 : 1)}%`;

function show(box, result, status, model, text, found) {
  const { parts, said } = answersOf(box, model, text, found);
  result.replaceChildren(...parts);
  status.textContent = `${said.join(". ")}. (${found.milliseconds.toFixed(0)} ms)`;
}

/** One model for all tasks and one per task, side by side. */
function compare(box, result, status, text, answers) {
  const told = [];
  const columns = answers.map(([model, found], place) => {
    const { parts, said } = answersOf(box, model, text, found);
    const title = ["One model for all tasks", "One model per task"][place];
    const heading = element("p", { className: "live-title", textContent: title });
    told.push(`${title}: ${said.join(". ")}. (${found.milliseconds.toFixed(0)} ms)`);
    const column = element("div", { className: "live-column" }, heading, ...parts);
    column.setAttribute("role", "group");
    column.setAttribute("aria-label", title);
    return column;
  });
  result.replaceChildren(element("div", { className: "live-columns" }, ...columns));
  status.textContent = told.join(" ");
}

function answersOf(box, model, text, found) {
  const parts = [];
  const said = [];
  const unknown = new Set();
  for (const [name, answers] of Object.entries(found.tasks)) {
    if (model.facts.tasks[name].kind !== "tagging") continue;
    const entities = entitiesOf(answers);
    parts.push(tagged(text, found.words, entities, model.known));
    for (const word of found.words) if (!model.known.has(word.text)) unknown.add(word.text);
    said.push(entities.length === 0 ? "no entity" : entities.map(entity => {
      const words = text.slice(found.words[entity.first].start, found.words[entity.last].end);
      return `${words}: ${entity.type}`;
    }).join(", "));
  }
  for (const [name, answers] of Object.entries(found.tasks)) {
    if (model.facts.tasks[name].kind !== "classification") continue;
    const best = answers.reduce((a, b) => (b.probability > a.probability ? b : a));
    const title = box.dataset[`title${name[0].toUpperCase()}${name.slice(1)}`] ?? name;
    said.push(`${title}: ${best.label}, ${percent(best.probability)}`);
    parts.push(bars(title, answers));
  }
  parts.push(...strangers(unknown));
  return { parts, said };
}

function bars(title, answers) {
  const rows = answers.map(({ label, probability }) => {
    const bar = element("span", { className: "live-bar" });
    bar.style.setProperty("--share", probability);
    const track = element("td", { className: "live-track" }, bar);
    track.setAttribute("aria-hidden", "true");
    return element("tr", {},
      element("th", { scope: "row", textContent: label }), track,
      element("td", { className: "live-number", textContent: percent(probability) }));
  });
  return element("table", { className: "live-bars" },
    element("caption", { textContent: title }), element("tbody", {}, ...rows));
}
