"""The command line, a thin skin over the rest: ``python -m mtl_utils --help``."""

from mtl_utils.commands.line import main

__all__ = ["main"]
