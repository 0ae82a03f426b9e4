"""``python -m mtl_utils.deployment FOLDER``: makes a model that is alive in a page again.

The name of the folder says which: ``translator`` is that of chapter 02, ``names`` of chapter 03,
``framework`` of chapter 04, ``atlas`` of chapter 06. With ``--separate`` the one per task are made
that the switch in the box of chapter 06 asks.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from mtl_utils.deployment import atlas_page, names_page
from mtl_utils.deployment.live_page import write_live_model
from mtl_utils.deployment.separate_models import train_separate_models, write_separate_models
from mtl_utils.deployment.writer_pages import WRITERS

PAGES = {"atlas": atlas_page.PAGE, "names": names_page.PAGE}
"""The boxes, by the name of their folder."""


def main() -> None:
    """Train a model, unless one is given, and write its folder."""
    parser = argparse.ArgumentParser(prog="python -m mtl_utils.deployment", description=__doc__)
    parser.add_argument(
        "folder",
        type=Path,
        help="where to, such as book/_static/live/atlas; its name says which model",
    )
    parser.add_argument("--model", type=Path, help="a saved model, instead of training one")
    parser.add_argument("--separate", action="store_true", help="one model per task, of atlas")
    options = parser.parse_args()
    name = options.folder.resolve().name
    if options.separate and (name != "atlas" or options.model is not None):
        parser.error("--separate trains models for the folder named atlas, and takes no --model")
    if options.separate:
        _say(write_separate_models(train_separate_models(), options.folder))
        return
    if make := WRITERS.get(name):
        _say(make(options.folder, options.model))
        return
    page = PAGES.get(name)
    if page is None:
        known = ", ".join([*PAGES, *WRITERS])
        parser.error(f"{options.folder} is named like none of the boxes: {known}")
    model = page.train() if options.model is None else page.load(options.model)
    measured = write_live_model(model, options.folder, page.words(), page.facts)
    for name in page.facts["measures"]:
        print(f"{name}: {measured[name]:.3f}, in eight bits {measured[f'{name} int8']:.3f}")


def _say(scores: Mapping[str, float]) -> None:
    for name, value in scores.items():
        print(f"{name}: {value:.3f}")


if __name__ == "__main__":
    main()
