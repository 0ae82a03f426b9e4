"""The words of the command line, and how its errors look."""

from __future__ import annotations

import argparse
import sys
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path

from mtl_utils.commands.messages import USER_ERRORS, one_line

_ABOUT = """\
Train one model on your own tasks, described in one file, without writing code.

  python -m mtl_utils init data.csv --output run.toml    a first file, from your data
  python -m mtl_utils train run.toml                     trains, and makes the folder runs/run
  python -m mtl_utils evaluate runs/run test.csv         measures it on other data
  python -m mtl_utils predict runs/run texts.txt         labels texts, one a line
  python -m mtl_utils export runs/run out --to onnx      writes it for other programs
  python -m mtl_utils serve runs/run                     answers for it over HTTP
  python -m mtl_utils diagnose run.toml                  says why tasks hurt each other
  python -m mtl_utils tune run.toml                      searches for settings, by [tuning]
"""
_TRAIN = """\
Train what FILE says. The folder of the run, runs/ and the name of the file unless the file has
`output`, holds: resolved.toml (the file with all that it left out), history.csv, curves.png and
.svg, metrics.json, confusion/, model/. A run that was cut goes on with the same command.
"""
_PREDICT = """\
Label texts. FILE is one text a line (a name in .txt, or - for standard input), and each line
becomes one JSON object; or it is a file in the format of the training data, and comes back with
predictions in the column of labels.
"""
_EXPORT = """\
Write a trained model for other programs: OUTPUT gets the graph, which is checked against the model
before it is there, tokenizers, a .json with labels and what else is needed to use the graph, and a
card. Needs the extra export: pip install onnx onnxruntime.
"""
_SERVE = """\
Answer over HTTP for the model of a run, or for one that was exported, until told to stop (Ctrl-C,
SIGTERM). POST /predict {"texts": ["..."]} gives labels, GET /health the tasks, GET /metrics counts
and latencies. There is no password: --host 0.0.0.0 shows it to the whole network. Needs the extra
serve: pip install fastapi uvicorn.
"""
_DIAGNOSE = """\
Say why tasks of FILE do worse together than they might: a drowned loss, label noise, too little
width, under-training, or tasks that have nothing to do with each other. Trains copies of the model
with one thing changed at a time, for at most three times the steps of the file, and writes nothing
but what --plot names.
"""
_TUNE = """\
Search for settings of FILE, by its table [tuning]. The folder of the search, runs/, the name of the
file and -tuning unless the table has `output`, holds a journal: the same command goes on with it,
and several at a time share it. At the end it has trials.csv, pictures, and best.toml, which `train`
takes as it is.
"""
_LIMITS: dict[str, tuple[type, str]] = {
    "max_batch": (int, "texts that are read at a time (64)"),
    "max_wait_ms": (float, "how long a request waits for others, in milliseconds (5)"),
    "max_length": (int, "characters of a text (2000)"),
    "max_texts": (int, "texts of a request (64)"),
    "max_body": (int, "bytes of a request (1000000)"),
    "max_waiting": (int, "requests that may wait (256)"),
}
_FORMAT = (
    "csv, json_lines, conll or conllu, or with arguments as in the file of a run: "
    '\'{kind = "conll", columns = ["tokens", "_", "tags"]}\' (default: by the name of the '
    "file, or as the model's own data)"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: The words after ``python -m mtl_utils``; those of the process if ``None``.

    Returns:
        The exit status: 0; 2 where something was refused, which is one line on standard error;
        130 when it was interrupted.
    """
    options = _parser().parse_args(arguments)
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning  # type: ignore[assignment]
        try:
            return int(options.run(options) or 0)
        except KeyboardInterrupt:
            print("Interrupted; the same command goes on with a training.", file=sys.stderr)
            return 130
        except BrokenPipeError:
            raise
        except USER_ERRORS as error:
            if options.traceback:
                traceback.print_exc()
            print(f"error: {one_line(error)}", file=sys.stderr)
            return 2


def _show_warning(message: Warning | str, *_: object) -> None:
    print(f"warning: {' '.join(str(message).split())}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="python -m mtl_utils", description=_ABOUT, formatter_class=plain
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    # Words first: options that take several names would take them too.
    train = commands.add_parser(
        "train",
        help="train what a file says",
        description=_TRAIN,
        usage="%(prog)s file [options]",
    )
    train.add_argument("file", type=Path, help="the file, such as run.toml")
    train.add_argument("--output", type=Path, help="another folder for the run")
    train.add_argument("--force", action="store_true", help="replace another run in the folder")
    train.add_argument("--quiet", action="store_true", help="a line for each epoch, and no bar")
    train.add_argument(
        "--compare-separate",
        action="store_true",
        help="train each task alone as well, and print what sharing gains or costs it",
    )
    train.add_argument(
        "--seeds", type=int, nargs="+", metavar="SEED", help="of a comparison (default: the file's)"
    )
    train.set_defaults(run=_train)

    evaluate = commands.add_parser(
        "evaluate", help="measure a trained model on data", usage="%(prog)s folder data [options]"
    )
    _add_model_and(evaluate, "data", "a registered name, a folder or a file with labels")
    evaluate.add_argument("--config", help="configuration of the data set")
    evaluate.add_argument("--split", help="which split (default: test, or the only one)")
    evaluate.add_argument("--json", action="store_true", help="print JSON")
    evaluate.set_defaults(run=_evaluate)

    predict = commands.add_parser(
        "predict",
        help="label texts",
        description=_PREDICT,
        usage="%(prog)s folder file [options]",
    )
    _add_model_and(predict, "file", "texts, one a line, or a file like the training data; or -")
    predict.add_argument("--output", type=Path, help="file to write (default: standard output)")
    predict.add_argument("--raw", action="store_true", help="read FILE as one text a line")
    predict.add_argument(
        "--pairs", action="store_true", help="each line has two texts with a tab between them"
    )
    predict.add_argument(
        "--language", metavar="NAME", help="that of raw texts, for a model that is told it"
    )
    predict.add_argument(
        "--probabilities", action="store_true", help="those of all labels, for raw texts"
    )
    predict.set_defaults(run=_predict)

    export = commands.add_parser(
        "export",
        help="write a trained model for other programs",
        description=_EXPORT,
        usage="%(prog)s folder output [options]",
    )
    _add_model(export)
    export.add_argument("output", type=Path, help="folder to write")
    export.add_argument("--to", choices=("onnx",), default="onnx", help="format (default: onnx)")
    export.add_argument("--int8", action="store_true", help="a graph of eight-bit weights as well")
    export.add_argument("--licence", help="that of the weights, for the card")
    export.set_defaults(run=_export)

    serve = commands.add_parser(
        "serve",
        help="answer for a model over HTTP",
        description=_SERVE,
        usage="%(prog)s folder [options]",
    )
    _add_model(serve)
    _add_server(serve)
    serve.set_defaults(run=_serve)

    diagnose = commands.add_parser(
        "diagnose",
        help="say why tasks of a file do worse together than they might",
        description=_DIAGNOSE,
        usage="%(prog)s file [options]",
    )
    diagnose.add_argument("file", type=Path, help="the file, such as run.toml")
    diagnose.add_argument("--plot", type=Path, metavar="FILE", help="a picture: .png, .svg or .pdf")
    diagnose.add_argument("--json", action="store_true", help="print JSON")
    diagnose.add_argument("--quiet", action="store_true", help="no bar")
    diagnose.set_defaults(run=_diagnose)

    tune = commands.add_parser(
        "tune", help="search for settings", description=_TUNE, usage="%(prog)s file [options]"
    )
    tune.add_argument("file", type=Path, help="the file, such as run.toml")
    tune.add_argument("--output", type=Path, help="another folder for the search")
    tune.add_argument("--trials", type=int, help="how many in all (default: the file's)")
    tune.add_argument(
        "--on", choices=("here", "ray"), default="here", help="this process, or a Ray cluster"
    )
    tune.add_argument("--jobs", type=int, help="trials at a time on a cluster (default: its CPUs)")
    tune.add_argument(
        "--address", help="of the cluster (default: RAY_ADDRESS, or one that is started here)"
    )
    tune.set_defaults(run=_tune)

    init = commands.add_parser("init", help="write a first file from a data set")
    init.add_argument("data", help="a registered name, a folder or a file")
    init.add_argument("--config", help="configuration of the data set")
    init.add_argument("--format", help=_FORMAT)
    init.add_argument("--output", type=Path, help="file to write (default: standard output)")
    init.add_argument("--force", action="store_true", help="replace a file that is there")
    init.set_defaults(run=_init)
    for command in (train, evaluate, predict, export, serve, diagnose, tune, init):
        command.add_argument(
            "--traceback", action="store_true", help="show where in the code an error arose"
        )
    return parser


def _add_model_and(parser: argparse.ArgumentParser, name: str, what: str) -> None:
    _add_model(parser)
    parser.add_argument(name, help=what)
    parser.add_argument("--task", nargs="+", metavar="NAME", help="these tasks alone")
    parser.add_argument("--format", help=_FORMAT)


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="folder of a run, or of a model")
    parser.add_argument(
        "--own",
        nargs="+",
        default=[],
        metavar="FILE.py:CLASS",
        help="classes of kinds of tasks of your own, whose files are run",
    )


def _add_server(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address (default: this machine alone)")
    parser.add_argument("--port", type=int, default=8000, help="port (default: 8000)")
    parser.add_argument("--int8", action="store_true", help="the eight-bit graph of an export")
    parser.add_argument(
        "--one-pass", action="store_true", help="split strings into words for all tasks"
    )
    for name, (kind, what) in _LIMITS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, metavar="N", help=what)


# What a command needs is imported when it runs, so that --help comes at once.


def _train(options: argparse.Namespace) -> None:
    from dataclasses import replace

    from mtl_utils.commands import comparing, training
    from mtl_utils.commands.messages import Refused
    from mtl_utils.commands.run_file import read_run_file

    if options.seeds and not options.compare_separate:
        raise Refused("--seeds are those of --compare-separate; the seed of a run is in its file")
    file = read_run_file(options.file)
    if options.output is not None:
        file = replace(file, output=options.output)
    settings = {"force": options.force, "quiet": options.quiet}
    if not options.compare_separate:
        print(training.show(training.train(file, **settings)))
        print(f"The model and all that is known of it are in {file.output}", file=sys.stderr)
        return
    print(comparing.compare(file, options.seeds or [file.seed], **settings))


def _evaluate(options: argparse.Namespace) -> None:
    from mtl_utils.commands import using

    print(using.evaluate(options))


def _predict(options: argparse.Namespace) -> None:
    from mtl_utils.commands import using

    using.predict(options)


def _export(options: argparse.Namespace) -> None:
    from mtl_utils.commands import exporting

    print(exporting.export(options))


def _serve(options: argparse.Namespace) -> None:
    from mtl_utils.commands import serving

    serving.serve(options, {name: getattr(options, name) for name in _LIMITS})


def _diagnose(options: argparse.Namespace) -> None:
    from mtl_utils.commands import diagnosing
    from mtl_utils.commands.run_file import read_run_file

    diagnosing.check_picture(options.plot)
    found = diagnosing.diagnosed(read_run_file(options.file), quiet=options.quiet)
    print(diagnosing.report(found, as_json=options.json, plot=options.plot))


def _tune(options: argparse.Namespace) -> None:
    from dataclasses import replace

    from mtl_utils.commands import tuning
    from mtl_utils.commands.messages import Refused
    from mtl_utils.commands.tuning_file import read_tuning_file

    asked = read_tuning_file(options.file)
    if options.output is not None:
        asked = replace(asked, output=options.output)
    if options.trials is not None:
        if options.trials < 1:
            raise Refused(f"--trials must be at least 1, got {options.trials}")
        asked = replace(asked, trials=options.trials)
    if options.on == "ray":
        from mtl_utils.commands.tuning_on_ray import OnRay

        if options.jobs is not None and options.jobs < 1:
            raise Refused(f"--jobs must be at least 1, got {options.jobs}")
        print(tuning.tune(asked, OnRay(options.address, options.jobs)))
        return
    for name in ("jobs", "address"):
        if getattr(options, name) is not None:
            raise Refused(f"--{name} is for trials on a cluster: give --on ray with it")
    print(tuning.tune(asked))


def _init(options: argparse.Namespace) -> None:
    from mtl_utils.commands import first_file

    first_file.init(options)
