"""``python -m mtl_utils``: train a model by file, measure it, and have it predict."""

import sys

from mtl_utils.commands import main

if __name__ == "__main__":
    sys.exit(main())
