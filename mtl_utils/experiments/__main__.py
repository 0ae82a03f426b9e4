"""Command line: ``python -m mtl_utils.experiments list`` and ``... run NAME``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from mtl_utils.experiments import find, registry, results_folder, run


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: The words after the command; those of the process if ``None``.

    Returns:
        The exit status: 0, or 2 for an unknown experiment or a missing folder.
    """
    options = _parser().parse_args(arguments)
    if options.command == "list":
        for experiment in registry().values():
            print(f"{experiment.name}: {experiment.description}")
            runs = len(experiment.cells())
            print(f"    {len(experiment.configs)} configurations, {runs} runs")
        return 0
    try:
        experiment = find(options.name)
        folder = options.output or results_folder()
    except (KeyError, FileNotFoundError) as error:
        print(error.args[0], file=sys.stderr)
        return 2
    print(run(experiment, folder, seeds=options.seeds, limit=options.limit))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m mtl_utils.experiments")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="name the experiments")
    runner = commands.add_parser("run", help="run what is not recorded yet")
    runner.add_argument("name", help="name of the experiment")
    runner.add_argument("--seeds", type=int, nargs="+", help="instead of the experiment's own")
    runner.add_argument("--limit", type=_positive, help="run at most so many and stop")
    runner.add_argument("--output", help="folder of the results file (default: book/results)")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number


if __name__ == "__main__":
    sys.exit(main())
