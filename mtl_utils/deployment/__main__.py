"""``python -m mtl_utils.deployment FOLDER``: makes a model that is alive in a page again.

The name of the folder says which: ``atlas`` is that of chapter 06, ``names`` that of chapter 03.
With ``--separate`` the one per task are made that the switch in the box of chapter 06 asks.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mtl_utils.deployment import atlas_page, names_page
from mtl_utils.deployment.live_page import write_live_model
from mtl_utils.deployment.separate_models import train_separate_models, write_separate_models

PAGES = {"atlas": atlas_page.PAGE, "names": names_page.PAGE}
"""The boxes, by the name of their folder."""


def main() -> None:
    """Train a model, unless one is given, and write its folder."""
    parser = argparse.ArgumentParser(prog="python -m mtl_utils.deployment", description=__doc__)
    parser.add_argument("folder", type=Path, help="where to; it holds sentences.txt")
    parser.add_argument("--model", type=Path, help="a saved model, instead of training one")
    parser.add_argument("--separate", action="store_true", help="one model per task, of atlas")
    options = parser.parse_args()
    page = PAGES.get(options.folder.name)
    if page is None:
        parser.error(f"{options.folder} is named like none of the boxes: {', '.join(PAGES)}")
    if options.separate:
        if options.folder.name != "atlas" or options.model is not None:
            parser.error(
                "--separate trains models for the folder named atlas, and takes no --model"
            )
        for name, score in write_separate_models(train_separate_models(), options.folder).items():
            print(f"{name}: {score:.3f}")
        return
    model = page.train() if options.model is None else page.load(options.model)
    measured = write_live_model(model, options.folder, page.words(), page.facts)
    for name in page.facts["measures"]:
        print(f"{name}: {measured[name]:.3f}, in eight bits {measured[f'{name} int8']:.3f}")


if __name__ == "__main__":
    main()
