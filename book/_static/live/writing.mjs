// The box of a model that writes: its translation as it comes, and a grid of where it looked.

import { element, strangers, tagged } from "./drawing.mjs";
import { entitiesOf, splitWords } from "./model.mjs";
import { loadWriter } from "./translate.mjs";

const END = "(end)";
let grids = 0; // of the page, each of which has a name

/** Load a model that shows itself; see loadWriter. */
export async function loadWriting(folder, tell) {
  return new Writing(await loadWriter(folder, tell));
}

class Writing {
  constructor(model) {
    this.model = model;
    this.before = Promise.resolve(); // one text after the other: a session does not run twice at once
  }

  /** Show what the model makes of a text, for as long as it is the current one. */
  show(text, result, status, current) {
    this.before = this.before.catch(() => {}).then(() => (current() ? this.draw(text, result, status, current) : undefined));
    return this.before;
  }

  async draw(text, result, status, current) {
    const { model } = this;
    const began = performance.now();
    const encoded = model.encode(text);
    const { state, said } = await model.read(encoded);
    if (!current()) return;
    const marked = Object.values(said).map(tags => tagged(text, encoded.words, entitiesOf(tags), model.known));
    const written = element("p", { className: "live-written", lang: "fr" });
    const grid = new Grid(model, encoded);
    result.replaceChildren(...marked, written, ...strangers(unknownOf(model, text)), grid.whole);
    status.textContent = "Writing.";
    const ids = [];
    let ended = false;
    for await (const { token, end, weights } of model.write(state)) {
      if (!current()) return;
      grid.add(token, end, weights);
      if (end) ended = true;
      else ids.push(token);
      written.textContent = model.decode(ids);
      await new Promise(done => setTimeout(done)); // so that the page is drawn meanwhile
    }
    if (!current()) return;
    // What stands on the page already is said to those who do not see it appear.
    const named = Object.values(said).map(tags => ` ${entitiesSaid(text, encoded.words, tags)}.`).join("");
    const read = element("span", { className: "live-read", textContent: `In French: ${model.decode(ids)}${named} ` });
    const spent = `Written in ${(performance.now() - began).toFixed(0)} ms.`;
    status.replaceChildren(read, ended ? spent : `${spent} Cut off: no end came.`);
  }
}

function unknownOf(model, text) {
  const words = splitWords(text, model.facts.word_marks).map(word => word.text);
  return new Set(words.filter(word => !model.known.has(word)));
}

/** Entities of a text in words. */
function entitiesSaid(text, words, tags) {
  const found = entitiesOf(tags).map(({ first, last, type }) => `${text.slice(words[first].start, words[last].end)}: ${type}`);
  return found.length ? `Entities: ${found.join(", ")}` : "No entity";
}

/** A table: a row for each word that is written, a column for each that was read. */
class Grid {
  constructor(model, { ids, words }) {
    Object.assign(this, { model, words, length: ids.length });
    this.body = element("tbody");
    const heads = words.map(word => {
      const className = model.knows(word.text) ? "" : "live-unknown";
      return element("th", { scope: "col" }, element("span", { className, textContent: word.text }));
    });
    heads.push(element("th", { scope: "col" }, element("span", { textContent: END })));
    const name = element("p", {
      className: "live-note",
      id: `live-grid-${(grids += 1)}`,
      textContent: "Where it looked, in percent (the stronger the colour the more): a row for each word written, a column for each word read",
    });
    const table = element("table", { className: "live-attention" },
      element("thead", {}, element("tr", {}, element("td"), ...heads)), this.body);
    table.setAttribute("aria-labelledby", name.id);
    const region = element("div", { className: "live-scroll", tabIndex: 0 }, table);
    region.setAttribute("role", "region");
    region.setAttribute("aria-label", "Attention");
    this.whole = element("div", {}, name, region);
  }

  /** Add a token: to the word that is being written, or as the first of the next. */
  add(token, end, weights) {
    const { model } = this;
    if (end || !this.row || model.begins(token)) {
      this.row = { ids: [], sums: this.words.map(() => 0).concat(0), count: 0 };
      this.row.head = element("th", { scope: "row", lang: end ? "en" : "fr", textContent: END });
      this.row.cells = this.row.sums.map(() => element("td", {}, element("span")));
      this.body.append(element("tr", {}, this.row.head, ...this.row.cells));
    }
    const { row } = this;
    row.count += 1;
    this.words.forEach(({ first, last }, column) => {
      for (let piece = first; piece <= last; piece += 1) row.sums[column] += weights[piece];
    });
    row.sums[this.words.length] = row.count - row.sums.slice(0, -1).reduce((a, b) => a + b, 0); // of marks around
    if (!end) {
      row.ids.push(token);
      row.head.textContent = model.decode(row.ids);
    }
    row.sums.forEach((sum, column) => {
      const share = Math.min(1, Math.max(0, sum / row.count));
      row.cells[column].style.setProperty("--share", share);
      row.cells[column].firstChild.textContent = (100 * share).toFixed(0);
    });
  }
}
