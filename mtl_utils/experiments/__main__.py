"""Command line: ``python -m mtl_utils.experiments list``, ``estimate``, ``work`` and ``run``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import get_args

from mtl_utils.experiments import estimate, find, registry, results_folder, run, work
from mtl_utils.experiments.estimates import written
from mtl_utils.experiments.registry import comparisons, find_comparison
from mtl_utils.experiments.superseded import delete_superseded, superseded
from mtl_utils.experiments.working import Engine

_ABOUT = """\
Experiments that take longer than a chapter of the book may are recorded: every configuration with
every seed is a run, and every run leaves one line in book/results/NAME.jsonl. What is on record is
never run again."""

_EXAMPLES = """\
examples:
  python -m mtl_utils.experiments list                     which there are, and what is on record
  python -m mtl_utils.experiments estimate                 what the rest will cost
  python -m mtl_utils.experiments work --minutes 60        record what is missing for an hour
  python -m mtl_utils.experiments work loss_scales --jobs 1
  python -m mtl_utils.experiments work --on ray            the same on a Ray cluster
Ctrl-C stops work; started again, it goes on from the last checkpoint of each run."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: The words after the command; those of the process if ``None``.

    Returns:
        The exit status: 0, 1 if a run of ``work`` failed, or 2 for an unknown experiment, a
        missing folder or a cluster that is not there.
    """
    options = _parser().parse_args(arguments)
    try:
        return int(options.act(options))
    except (KeyError, FileNotFoundError) as error:
        print(error.args[0], file=sys.stderr)
        return 2
    except (ConnectionError, ImportError) as error:
        print(error, file=sys.stderr)
        return 2


def _list(options: argparse.Namespace) -> int:
    try:
        done = {
            one.name: f", {one.done}/{one.runs} on record" for one in estimate((), options.output)
        }
    except FileNotFoundError:  # the package is installed without records
        done = {}
    for name, experiment in registry().items():
        print(f"{name}: {experiment.description}")
        runs = len(experiment.cells())
        print(f"    {len(experiment.configs)} configurations, {runs} runs{done.get(name, '')}")
    return 0


def _run(options: argparse.Namespace) -> int:
    experiment = find(options.name)
    folder = options.output or results_folder()
    print(run(experiment, folder, seeds=options.seeds, limit=options.limit))
    return 0


def _estimate(options: argparse.Namespace) -> int:
    print(written(estimate(options.names, options.output)))
    return 0


def _work(options: argparse.Namespace) -> int:
    if options.address is not None and options.on != "ray":
        print("--address is that of a cluster: give --on ray with it", file=sys.stderr)
        return 2
    report = work(
        options.names,
        options.output,
        jobs=options.jobs,
        minutes=options.minutes,
        nice=options.nice,
        on=options.on,
        address=options.address,
    )
    for line in report.failed:
        print(f"failed: {line}", file=sys.stderr)
    return 1 if report.failed else 0


def _superseded(options: argparse.Namespace) -> int:
    names = options.names or [comparison.name for comparison in comparisons()]
    folder = options.output or results_folder()
    for comparison in map(find_comparison, names):
        if options.delete:
            found = delete_superseded(comparison, folder)
        else:
            found = {name: len(old) for name, old in superseded(comparison, folder).items()}
        for name, count in found.items():
            print(f"{name}: {count} {'deleted' if options.delete else 'superseded'}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mtl_utils.experiments",
        description=_ABOUT,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    listing = commands.add_parser("list", help="name the experiments, and what is on record")
    listing.set_defaults(act=_list)

    estimating = commands.add_parser(
        "estimate",
        help="core-hours that are left, and in all",
        description="Say what the experiments cost in core-hours, those that work takes first "
        "above. Runs that are missing are expected to take the median of those on record with the "
        "same configuration, or else of the experiment.",
    )
    estimating.set_defaults(act=_estimate)

    working = commands.add_parser(
        "work",
        help="run what is not recorded yet, several runs at a time",
        description="Take the next run that is missing, by priority, until all are on record. Any "
        "number of workers may go on at once: no run is made twice. Ctrl-C stops the runs; they go "
        "on from their last checkpoint when work is started again. A run that fails leaves its "
        "traceback in a file that is named, and the others go on.",
    )
    working.set_defaults(act=_work)
    working.add_argument(
        "--jobs", type=_positive, help="runs at a time (default: one a core, or one on a GPU)"
    )
    working.add_argument("--minutes", type=_minutes, help="stop after so many")
    working.add_argument(
        "--nice",
        type=int,
        choices=range(20),
        metavar="N",
        default=0,
        help="niceness of the runs, 0 to 19: the higher, the more they give way to other programs",
    )

    working.add_argument(
        "--on",
        choices=get_args(Engine),
        default="here",
        help="this machine, or a Ray cluster, which the extra cluster is for (default: here)",
    )
    working.add_argument(
        "--address",
        help="of the cluster (default: RAY_ADDRESS, or one that is started on this machine)",
    )

    runner = commands.add_parser("run", help="run what is not recorded yet of one, in this process")
    runner.set_defaults(act=_run)
    runner.add_argument("name", metavar="NAME", help="name of the experiment")
    runner.add_argument("--seeds", type=int, nargs="+", help="instead of the experiment's own")
    runner.add_argument("--limit", type=_positive, help="run at most so many and stop")

    older = commands.add_parser(
        "superseded",
        help="runs of comparisons that were made before something better was tried",
        description="Name the files with runs whose settings are no longer the best of what was "
        "tried, because step sizes or trials came later. Deleted, they are run again by work.",
    )
    older.set_defaults(act=_superseded)
    older.add_argument("--delete", action="store_true", help="delete them")
    older.add_argument(
        "names", nargs="*", metavar="NAME", help="name of a comparison (default: all)"
    )

    for command in (estimating, working):
        command.add_argument(
            "names",
            nargs="*",
            metavar="NAME",
            help="name of an experiment, which brings those it needs (default: all)",
        )
    for command in (listing, estimating, working, runner, older):
        command.add_argument(
            "--output",
            metavar="FOLDER",
            help="folder of the results files (default: MTL_RESULTS_DIR, or book/results)",
        )
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number


def _minutes(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"must be above 0, got {text}")
    return number


if __name__ == "__main__":
    sys.exit(main())
