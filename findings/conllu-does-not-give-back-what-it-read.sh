#!/usr/bin/env bash
# conllu, the usual Python reader of Universal Dependencies, cuts values at a second "=", parts cells
# at two blanks as well as at tabs, and forgets comments without "=". Nothing is raised.
#
# One would guess that serialize() writes what parse() read, and that columns are what the format
# says: ten cells parted by tabs, in which blanks are allowed. Instead "Ref=a?b=c" becomes "Ref=a?b",
# a remark with two blanks loses its second half, and a word form with two blanks moves lemma, tags
# and head one column on. Whoever puts predictions into a treebank this way and writes it back
# changes annotations that had nothing to do with them, and a tagger may be trained on lemmas for
# its tags.
#
# conllu 6.0.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet conllu==6.0.0
cd "$folder"
cat > run.py <<'PYTHON'
from importlib.metadata import version

import conllu


def word(form, misc):
    return f"1\t{form}\tlemma\tNOUN\tTAG\t_\t0\troot\t_\t{misc}"


def given_back(*lines):
    (sentence,) = conllu.parse("\n".join(lines) + "\n\n")
    return sentence, sentence.serialize().rstrip("\n").split("\n")


print("conllu", version("conllu"))

_, back = given_back(word("form", "Ref=a?b=c"))
print("'Ref=a?b=c' comes back as", repr(back[0].split("\t")[-1]))
assert back == [word("form", "Ref=a?b")]

_, back = given_back(word("form", "Gloss=two  blanks"))
print("'Gloss=two  blanks' comes back as", repr(back[0].split("\t")[-1]))
assert back == [word("form", "Gloss=two")]

sentence, _ = given_back(word("two  blanks", "_"))
print("the word 'two  blanks' has", {name: sentence[0][name] for name in ("form", "lemma", "upos")})
assert (sentence[0]["form"], sentence[0]["lemma"], sentence[0]["upos"]) == ("two", "blanks", "lemma")

_, back = given_back("# a remark", "# text = form", word("form", "_"))
print("of the comments '# a remark' and '# text = form' come back", back[:-1])
assert back == ["# text = form", word("form", "_")]
PYTHON
"$folder/venv/bin/python" run.py
