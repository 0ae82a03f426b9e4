"""The registered real data sets: one entry each, with what is known and checked of it.

``rows`` are the numbers published at the pinned revision. A local copy must have the same, or the
numbers its configuration lists as a known partial copy; a download must have the published ones.

Hub ids that carry a loading script, which ``datasets`` no longer runs, are read from the branch
``refs/convert/parquet``, which the Hub writes itself. The others are read from ``main``. Both are
branches: no hash stands here that was not looked up, and the checks notice if a branch moves.
"""

from __future__ import annotations

from mtl_utils.corpora import entries_sentences, entries_tokens
from mtl_utils.corpora.entry import Entry

__all__ = ["REGISTRY"]

REGISTRY: dict[str, Entry] = {
    entry.name: entry for entry in (*entries_tokens.ENTRIES, *entries_sentences.ENTRIES)
}
