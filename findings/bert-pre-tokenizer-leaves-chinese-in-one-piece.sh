#!/usr/bin/env bash
# BertPreTokenizer of tokenizers leaves a Chinese sentence in one piece; BERT's own splitting is elsewhere.
#
# BERT splits text at white space, at punctuation and around every Chinese character. One would guess
# that the pre-tokenizer which bears its name does all three. It does the first two: spaces around
# Chinese characters are put in by BertNormalizer. So whoever takes the pre-tokenizer alone, to have
# words that a tagger can label and keep the text as it was written, gets one word for each Chinese
# sentence, up to the next mark. Nothing fails: a tagger gives that word one tag, and a WordPiece
# vocabulary calls it unknown or cuts it without the borders that BERT would have had.
#
# tokenizers 0.23.3: 1 word of 8 characters without the normalizer, 8 with it; English is 4 in both.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tokenizers==0.23.3
cd "$folder"
cat > run.py <<'PYTHON'
import tokenizers
from tokenizers import normalizers, pre_tokenizers

print("tokenizers", tokenizers.__version__)
split = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
spaced = normalizers.BertNormalizer(clean_text=False, strip_accents=False, lowercase=False)
seen = {}
for text in ("奥巴马访问了北京", "Obama visited Beijing."):
    alone = [word for word, _ in split(text)]
    both = [word for word, _ in split(spaced.normalize_str(text))]
    print(f"{text}: {len(alone)} words from the pre-tokenizer, {len(both)} after the normalizer")
    seen[text] = (len(alone), len(both))
assert list(seen.values()) == [(1, 8), (4, 4)]
PYTHON
"$folder/venv/bin/python" run.py
