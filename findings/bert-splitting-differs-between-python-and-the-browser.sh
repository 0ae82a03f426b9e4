#!/usr/bin/env bash
# One tokenizer.json, read by tokenizers in Python and by @huggingface/tokenizers in JavaScript, parts text
# with BertPreTokenizer at other characters.
#
# One would guess that a file made to be read by both gives the same words in both: the library for the
# browser is the same organisation's, and for ids of common text the two agree. But the one in Rust has a
# table of punctuation from an old version of Unicode and white space as Unicode has it, and the one in
# JavaScript takes the regular expressions of the engine that runs it, whose \p{P} is newer and whose \s
# is another set. 145 characters differ in Node 20, among them the byte order mark U+FEFF, which old text
# files begin with: one word in Python, a gap in the browser. A model that labels words then has another
# number of words in the page than in training. Whoever moves a model into a browser ships the table, or
# compares ids on odd text.
#
# tokenizers 0.23.3 (Python 3.11), @huggingface/tokenizers 0.2.0 (Node 20).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tokenizers==0.23.3
cd "$folder"
npm install --silent --no-audit --no-fund --prefix "$folder" @huggingface/tokenizers@0.2.0 > /dev/null
cat > write.py <<'PYTHON'
import json

import tokenizers
from tokenizers import models, pre_tokenizers

made = tokenizers.Tokenizer(models.WordLevel({"[UNK]": 0, "a": 1, "b": 2}, unk_token="[UNK]"))
made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
made.save("tokenizer.json")
codes = [code for code in range(0x110000) if not 0xD800 <= code <= 0xDFFF]
words = {code: len(made.encode(f"a{chr(code)}b").ids) for code in codes}
json.dump(words, open("python.json", "w"))
print("tokenizers", tokenizers.__version__)
PYTHON
cat > compare.mjs <<'JAVASCRIPT'
import fs from "node:fs";
import { Tokenizer } from "@huggingface/tokenizers";

const read = name => JSON.parse(fs.readFileSync(name, "utf8"));
const tokenizer = new Tokenizer(read("tokenizer.json"), {});
const apart = [];
for (const [code, words] of Object.entries(read("python.json"))) {
  const found = tokenizer.encode(`a${String.fromCodePoint(code)}b`).ids.length;
  if (found !== words) apart.push([Number(code), words, found]);
}
console.log(`node ${process.version}: ${apart.length} characters part "a?b" into another number of words`);
for (const [code, python, browser] of apart) {
  if ([0x85, 0xfeff, 0x61d, 0x2e52].includes(code))
    console.log(`U+${code.toString(16).toUpperCase()}: ${python} words in Python, ${browser} in JavaScript`);
}
const known = new Map(apart.map(([code, ...counts]) => [code, counts.join()]));
if (known.get(0xfeff) !== "1,2" || known.get(0x85) !== "2,1" || known.get(0x2e52) !== "1,3") process.exit(1);
JAVASCRIPT
"$folder/venv/bin/python" write.py
node compare.mjs
