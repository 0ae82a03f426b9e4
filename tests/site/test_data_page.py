"""The tables of the data page, without a build."""

from __future__ import annotations

from data_page import overlap_rows


def test_splits_with_nothing_to_tell_are_left_out_and_texts_are_told_apart() -> None:
    counts = {
        **{"train_rows": 1000, "train_repeats": 3, "train_repeats_en": 9, "train_repeats_de": 0},
        **{"validation_rows": 20, "validation_exact": 0, "validation_normalised": 0},
        **{"validation_any_order": 0, "validation_any_text": 0, "validation_repeats": 0},
        **{"test_rows": 30, "test_exact": 0, "test_normalised": 1, "test_any_order": 2},
        **{"test_any_text": 25, "test_repeats": 0, "test_broken_tags": 4},
    }
    quiet = {"test_rows": 10, "test_repeats": 0}
    records = [
        {"config": {"data": "pairs", "config": "default"}, "metrics": counts},
        {"config": {"data": "pairs", "config": "en_pud"}, "metrics": quiet},
    ]
    assert overlap_rows(records) == [
        ["pairs", "train", "1,000", "", "", "", "", "3 (en 9)"],
        ["pairs", "test", "30", "0", "1", "2", "25", ""],
    ]
