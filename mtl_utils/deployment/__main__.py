"""``python -m mtl_utils.deployment FOLDER``: makes a model that is alive in a page again.

The name of the folder says which: ``translator`` is that of chapter 02, ``names`` of chapter 03,
``framework`` of chapter 04, ``atlas`` of chapter 06. With ``--separate`` the one per task are made
that the switch in the box of chapter 06 asks.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mtl_utils.deployment.live.page import score_lines
from mtl_utils.deployment.live.pages import PAGES
from mtl_utils.deployment.live.separate_models import train_separate_models, write_separate_models


def main(arguments: Sequence[str] | None = None) -> None:
    """Train a model, unless one is given, write its folder and print what it scores.

    Args:
        arguments: Words of the command line; those of the process if ``None``.
    """
    parser = argparse.ArgumentParser(prog="python -m mtl_utils.deployment", description=__doc__)
    parser.add_argument(
        "folder",
        type=Path,
        help="where to, such as book/_static/live/atlas; its name says which model",
    )
    parser.add_argument("--model", type=Path, help="a saved model, instead of training one")
    parser.add_argument("--separate", action="store_true", help="one model per task, of atlas")
    options = parser.parse_args(arguments)
    name = options.folder.resolve().name
    if options.separate and (name != "atlas" or options.model is not None):
        parser.error("--separate trains models for the folder named atlas, and takes no --model")
    if options.separate:
        scores = write_separate_models(train_separate_models(), options.folder)
        print("\n".join(score_lines(scores)))
        return
    page = PAGES.get(name)
    if page is None:
        known = ", ".join(PAGES)
        parser.error(f"{options.folder} is named like none of the boxes: {known}")
    print("\n".join(page.make(options.folder, options.model)))


if __name__ == "__main__":
    main()
