// An exported model in the page: words, ids, outputs, labels. It knows nothing of the page.

const RUNTIME = new URL("runtime/", import.meta.url);
const WHITE = /\p{White_Space}/u;

/** Say why this browser cannot run a model; nothing if it can. */
export function missing() {
  if (location.protocol === "file:") return "this page was opened as a file";
  if (typeof WebAssembly === "undefined") return "this browser has no WebAssembly";
  if (typeof DecompressionStream === "undefined") return "this browser cannot unpack (DecompressionStream)";
  return "";
}

/** Fetch a file, telling how many bytes have come. */
export async function fetched(url, tell) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url.pathname} could not be loaded (${response.status})`);
  const reader = response.body.getReader();
  const parts = [];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    tell(value.length);
  }
  return new Blob(parts);
}

let runtime; // one for all models of a page

async function loadRuntime(tell) {
  const ort = await import(new URL("ort.wasm.min.mjs", RUNTIME));
  // The runtime imports this itself, but tries only once: a failure there would last until a reload.
  await import(new URL("ort-wasm-simd-threaded.mjs", RUNTIME));
  const packed = await fetched(new URL("ort-wasm-simd-threaded.wasm.gz", RUNTIME), tell);
  // A server may say of .gz that it is an encoding, and the browser has unpacked it then.
  const start = new Uint8Array(await packed.slice(0, 2).arrayBuffer());
  const zipped = start[0] === 0x1f && start[1] === 0x8b;
  const stream = zipped ? packed.stream().pipeThrough(new DecompressionStream("gzip")) : packed.stream();
  ort.env.wasm.wasmBinary = await new Response(stream).arrayBuffer();
  ort.env.wasm.wasmPaths = { mjs: new URL("ort-wasm-simd-threaded.mjs", RUNTIME).href };
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "error";
  return ort;
}

/** Wait for the runtime, which is loaded once a page, and for what else is on its way. */
export async function withRuntime(tell, parts) {
  runtime ??= loadRuntime(tell);
  return Promise.all([runtime, ...parts]).catch(error => {
    runtime = undefined; // so that a second try begins anew
    throw error;
  });
}

/**
 * Load a model.
 * @param {URL} folder Where its files are.
 * @param {(bytes: number) => void} tell Told of every piece that has come.
 * @param {LiveModel} like Another one, whose pieces, words and ways of splitting are then taken.
 */
export async function loadModel(folder, tell = () => {}, like = undefined) {
  const text = file => fetched(new URL(file, folder), tell).then(blob => blob.text());
  const [ort, facts, tokens, words, graph, { Tokenizer }] = await withRuntime(tell, [
    text("export.json").then(JSON.parse),
    like ? undefined : text("tokenizer.json").then(JSON.parse),
    like ? undefined : text("words.txt"),
    fetched(new URL("model.int8.onnx", folder), tell).then(blob => blob.arrayBuffer()),
    import(new URL("tokenizers.min.mjs", RUNTIME)),
  ]);
  const session = await ort.InferenceSession.create(new Uint8Array(graph), { executionProviders: ["wasm"] });
  if (!like) return new LiveModel(ort, session, new Tokenizer(tokens, {}), facts, new Set(words.split("\n")));
  // A model that tags nothing has no marks of its own, and is asked with the words of the other.
  facts.word_marks = like.marks;
  return new LiveModel(ort, session, like.tokenizer, facts, like.known);
}

export class LiveModel {
  constructor(ort, session, tokenizer, facts, known) {
    Object.assign(this, { ort, session, tokenizer, facts, known });
    this.marks = facts.word_marks;
    this.pieces = new Map(); // of words that were spelled before
  }

  /** Ids of a sentence as words, and of a second one if there is any. */
  encode(text, second = "") {
    const { start, between, end } = this.facts.tokenizer;
    const words = splitWords(text, this.marks);
    const ids = [...start];
    const firsts = [];
    for (const word of words) {
      firsts.push(ids.length);
      ids.push(...this.spelled(word.text));
    }
    let segments;
    if (second) {
      ids.push(...between);
      segments = new Array(ids.length).fill(0);
      ids.push(...this.tokenizer.encode(second, { add_special_tokens: false }).ids);
    }
    ids.push(...end);
    segments ??= new Array(ids.length).fill(0);
    while (segments.length < ids.length) segments.push(1);
    return { words, ids, firsts, segments };
  }

  spelled(word) {
    let found = this.pieces.get(word);
    if (!found) this.pieces.set(word, (found = this.tokenizer.encode(word, { add_special_tokens: false }).ids));
    return found;
  }

  /** Outputs of the graph for one text, by task. */
  async run({ ids, segments }) {
    const whole = values => new this.ort.Tensor("int64", BigInt64Array.from(values, BigInt), [1, values.length]);
    const given = { input_ids: whole(ids), mask: whole(ids.map(() => 1)), segment_ids: whole(segments) };
    const feeds = {};
    for (const name of this.session.inputNames) feeds[name] = given[name];
    return this.session.run(feeds);
  }

  /** What each task says of a text, or a pair; see saidOf. */
  async answer(text, second = "") {
    const encoded = this.encode(text, second);
    const limit = this.facts.max_length;
    if (limit && encoded.ids.length > limit) throw new RangeError(`Too long: the model reads ${limit} pieces.`);
    const before = performance.now();
    const outputs = await this.run(encoded);
    const found = { words: encoded.words, milliseconds: performance.now() - before, tasks: {} };
    for (const [name, task] of Object.entries(this.facts.tasks)) {
      if (task.pair && !second) continue;
      const data = outputs[name].data;
      found.tasks[name] = saidOf(task, data, encoded.firsts);
    }
    return found;
  }
}

/** Words of a text, and where they stand in it: as mtl_utils.data.split_words has them. */
export function splitWords(text, marks) {
  const words = [];
  let open = -1;
  const close = end => {
    if (open >= 0) words.push({ text: text.slice(open, end), start: open, end });
    open = -1;
  };
  for (let at = 0; at < text.length; ) {
    const letter = String.fromCodePoint(text.codePointAt(at));
    const next = at + letter.length;
    if (WHITE.test(letter)) close(at);
    else if (isMark(letter.codePointAt(0), marks)) {
      close(at);
      words.push({ text: letter, start: at, end: next });
    } else if (open < 0) open = at;
    at = next;
  }
  close(text.length);
  return words;
}

function isMark(code, ranges) {
  let low = 0;
  let high = ranges.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    if (code < ranges[middle][0]) high = middle - 1;
    else if (code > ranges[middle][1]) low = middle + 1;
    else return true;
  }
  return false;
}

/**
 * What outputs of a task mean: tags of words; the number of a regression; or labels with their
 * probabilities, which sum to 1 where one of them is chosen, and not where each is by itself.
 */
export function saidOf(task, data, firsts) {
  if (task.kind === "tagging") return tagsOf(task, data, firsts);
  if (task.kind === "regression") return data[0];
  const values = Array.from(data, value => value / (task.temperature ?? 1));
  const probabilities = task.kind === "multi_label" ? values.map(sigmoid) : softmax(values);
  return task.labels.map((label, i) => ({ label, probability: probabilities[i] }));
}

function tagsOf(task, data, firsts) {
  const size = task.labels.length;
  const rows = firsts.map(first => Array.from(data.slice(first * size, (first + 1) * size)));
  const best = task.search ? bestTags(rows, task.search) : rows.map(row => row.indexOf(Math.max(...row)));
  return best.map(tag => task.labels[tag]);
}

/** The sequence of tags with the greatest score (Viterbi, 1967); null is what is forbidden. */
export function bestTags(emissions, { start, transitions, end }) {
  if (!emissions.length) return [];
  const number = value => value ?? -Infinity;
  const scores = [emissions[0].map((value, tag) => value + number(start[tag]))];
  const back = [];
  for (const row of emissions.slice(1)) {
    const last = scores.at(-1);
    const from = row.map((_, to) => greatest(last.map((value, tag) => value + number(transitions[tag][to]))));
    back.push(from);
    scores.push(row.map((value, to) => value + last[from[to]] + number(transitions[from[to]][to])));
  }
  const path = [greatest(scores.at(-1).map((value, tag) => value + number(end[tag])))];
  for (const from of back.reverse()) path.unshift(from[path[0]]);
  return path;
}

const greatest = values => values.reduce((best, value, at) => (value > values[best] ? at : best), 0);

export function softmax(values) {
  const top = Math.max(...values);
  const powers = values.map(value => Math.exp(value - top));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map(power => power / sum);
}

const sigmoid = value => 1 / (1 + Math.exp(-value));

/** Entities of tags in IOB2: from which word to which, and of what type. */
export function entitiesOf(tags) {
  const found = [];
  tags.forEach((tag, at) => {
    if (tag.startsWith("B-")) found.push({ first: at, last: at, type: tag.slice(2) });
    else if (tag.startsWith("I-") && found.length) found.at(-1).last = at;
  });
  return found;
}
