"""The package behind *One Model, Many Tasks*: multi-task learning for NLP.

Import the subpackage you need, for example ``from mtl_utils import atlas``. Nothing is imported
here, so that ``import mtl_utils`` stays instant.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("mtl_utils")
except PackageNotFoundError:  # run from a source tree that was never installed
    __version__ = "0+unknown"
