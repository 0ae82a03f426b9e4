// A model that writes, as two graphs: ids in, tokens out one by one. It knows nothing of the page.

import { fetched, saidOf, splitWords, withRuntime } from "./model.mjs";

const RUNTIME = new URL("runtime/", import.meta.url);

/**
 * Load a model that writes.
 * @param {URL} folder Where its files are.
 * @param {(bytes: number) => void} tell Told of every piece that has come.
 */
export async function loadWriter(folder, tell = () => {}) {
  const get = file => fetched(new URL(file, folder), tell);
  const json = file => get(file).then(blob => blob.text()).then(JSON.parse);
  const graph = file => get(file).then(blob => blob.arrayBuffer());
  const [ort, facts, tokens, target, words, reader, writer, { Tokenizer }] = await withRuntime(tell, [
    json("writer.json"), json("tokenizer.json"), json("target.json"), get("words.txt").then(blob => blob.text()),
    graph("reader.int8.onnx"), graph("writer.int8.onnx"), import(new URL("tokenizers.min.mjs", RUNTIME)),
  ]);
  const options = { executionProviders: ["wasm"] };
  const sessions = [];
  for (const bytes of [reader, writer]) sessions.push(await ort.InferenceSession.create(new Uint8Array(bytes), options));
  return new Writer(ort, ...sessions, new Tokenizer(tokens, {}), target, facts, new Set(words.split("\n")));
}

export class Writer {
  constructor(ort, reader, writer, tokenizer, target, facts, known) {
    Object.assign(this, { ort, reader, writer, tokenizer, facts, known });
    this.pieces = Object.entries(target.model.vocab).reduce((all, [piece, id]) => ((all[id] = piece), all), []);
  }

  /** Ids of a sentence, and the words that they spell, each with its first piece and its end. */
  encode(text) {
    const { start, end, reads_words: readsWords, word_marks: marks } = this.facts;
    const words = readsWords ? splitWords(text, marks) : wordsBetweenSpaces(text);
    const ids = [...start];
    const spelled = one => this.tokenizer.encode(one, { add_special_tokens: false }).ids;
    for (const word of words) {
      word.first = ids.length; // a space begins a piece, so that words can be spelled one by one
      ids.push(...spelled(word.text));
      word.last = ids.length - 1;
    }
    return { ids: [...ids, ...end], words };
  }

  /** Whether training had all words of a text. */
  knows(text) {
    return splitWords(text, this.facts.word_marks).every(word => this.known.has(word.text));
  }

  /** What is known before the first token, and what the tasks say of the words that were read. */
  async read({ ids, words }) {
    const state = await this.reader.run({ input_ids: this.whole(ids) });
    const firsts = words.map(word => word.first);
    const said = {};
    for (const [name, task] of Object.entries(this.facts.tasks)) said[name] = saidOf(task, state[name].data, firsts);
    return { state, said };
  }

  /** Write greedily: yields each token with the weights that it looked at, the end included. */
  async *write(state) {
    const { bos, eos, forbidden, writes, max_length: longest } = this.facts;
    let token = bos;
    for (let place = 0; place < longest; place += 1) {
      const feeds = {};
      for (const name of this.writer.inputNames) feeds[name] = name === "token" ? this.whole([token]) : state[name];
      const found = await this.writer.run(feeds);
      token = best(found[writes].data, forbidden);
      state = { ...state };
      for (const name of this.facts.state) state[name] = found[`next_${name}`];
      yield { token, end: token === eos, weights: Array.from(found.weights.data) };
      if (token === eos) return;
    }
  }

  /** The text that ids spell: bytes in the alphabet of GPT-2. */
  decode(ids) {
    const letters = ids.map(id => this.pieces[id]).join("");
    const bytes = Uint8Array.from([...letters], letter => BYTES.get(letter));
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes).replace(/^ /, "");
  }

  /** Whether a token begins a word, so that what comes before is whole. */
  begins(token) {
    return this.pieces[token].startsWith("Ġ");
  }

  whole(values) {
    return new this.ort.Tensor("int64", BigInt64Array.from(values, BigInt), [1, values.length]);
  }
}

function wordsBetweenSpaces(text) {
  return [...text.matchAll(/\P{White_Space}+/gu)].map(({ 0: word, index }) => ({
    text: word, start: index, end: index + word.length,
  }));
}

function best(scores, forbidden) {
  let found = -1;
  for (let id = 0; id < scores.length; id += 1) {
    if (!forbidden.includes(id) && (found < 0 || scores[id] > scores[found])) found = id;
  }
  return found;
}

// The visible character that GPT-2 writes for each byte: itself, or one from 256 on.
const BYTES = new Map();
for (let byte = 0, hidden = 256; byte < 256; byte += 1) {
  const visible = (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
  BYTES.set(String.fromCodePoint(visible ? byte : hidden++), byte);
}
