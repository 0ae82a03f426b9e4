"""``python -m mtl_utils.deployment FOLDER``: makes a model that is alive in a page again.

The name of the folder says which: ``atlas`` is that of chapter 06, ``names`` that of chapter 03.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mtl_utils.deployment import atlas_page, names_page
from mtl_utils.deployment.live_page import write_live_model

PAGES = {"atlas": atlas_page.PAGE, "names": names_page.PAGE}
"""The boxes, by the name of their folder."""


def main() -> None:
    """Train a model, unless one is given, and write its folder."""
    parser = argparse.ArgumentParser(prog="python -m mtl_utils.deployment", description=__doc__)
    parser.add_argument("folder", type=Path, help="where to; it holds sentences.txt")
    parser.add_argument("--model", type=Path, help="a saved model, instead of training one")
    options = parser.parse_args()
    page = PAGES.get(options.folder.name)
    if page is None:
        parser.error(f"{options.folder} is named like none of the boxes: {', '.join(PAGES)}")
    model = page.train() if options.model is None else page.load(options.model)
    measured = write_live_model(model, options.folder, page.words(), page.facts)
    for name in page.facts["measures"]:
        print(f"{name}: {measured[name]:.3f}, in eight bits {measured[f'{name} int8']:.3f}")


if __name__ == "__main__":
    main()
