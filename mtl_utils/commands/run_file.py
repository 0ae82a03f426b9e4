"""``run.toml``: what it may say, read and checked before anything is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from mtl_utils.commands.balancers import BALANCERS, completed, of_one_task
from mtl_utils.commands.keys import Key, choice, keys_of, read_table
from mtl_utils.commands.languages import read_languages
from mtl_utils.commands.messages import located
from mtl_utils.commands.own_kinds import KINDS, is_own, kind_of
from mtl_utils.commands.pictures import read_pictures
from mtl_utils.commands.sharings import SHARINGS
from mtl_utils.commands.toml_files import read_toml
from mtl_utils.nn import BiLSTMEncoder, LSTMEncoder, PretrainedEncoder, TransformerEncoder
from mtl_utils.tasks import TAG_SCHEMES, MaskedLanguageModeling
from mtl_utils.training import TrainerConfig

ENCODERS: dict[str, type] = {
    "bilstm": BiLSTMEncoder,
    "lstm": LSTMEncoder,
    "transformer": TransformerEncoder,
    "pretrained": PretrainedEncoder,
}
"""Classes of encoders by their names in a file."""

Source = str | Mapping[str, str]
"""Where data are: a registered name, a folder or file, or a file for each split."""

_MADE = (  # arguments no file can give
    *("name", "tokenizer", "decoder", "own_decoder", "vocab_size", "mask_id", "special_ids"),
)
SCHEMES = ("auto", "plain", *TAG_SCHEMES)
"""How tags may be written: recognised, no entities, or a scheme that becomes IOB2."""
_SIZES = {"width": Key(int, 256), "num_layers": Key(int, 1)}
_DEFAULTS: dict[str, dict[str, Key]] = {
    "bilstm": _SIZES,
    "lstm": _SIZES,
    "transformer": {**_SIZES, "num_layers": Key(int, 4), "num_heads": Key(int, 4)},
    "pretrained": {"name_or_folder": Key(str)},
}
_TOKENIZER = {
    "vocab_size": Key(int, 8000),
    "lowercase": Key(bool, False),
    "max_length": Key(int | None, None),
    "long": Key(str, "error"),
}
_TRAINING = {
    **keys_of(TrainerConfig, ("seed",)),
    "learning_rate": Key(float | None, None),
    "batch_size": Key(int | None, None),
    "max_tokens": Key(int | None, None),
    "sampling": Key(str | float | dict[str, Any], "joint"),
    "metric": Key(str | None, None),
    "mode": Key(Literal["min", "max"] | None, None),
    "head_learning_rate": Key(float | None, None),
    "task_metrics": Key(dict[str, str] | None, None),
}
_TOP = {
    "output": Key(str | None, None),
    "seed": Key(int, 0),
    "validation": Key(float, 0.1),
    "validation_seed": Key(int, 0),
    "tasks": Key(dict[str, Any]),
    "encoder": Key(dict[str, Any] | None, None),
    "tokenizer": Key(dict[str, Any] | None, None),
    "languages": Key(dict[str, Any] | None, None),
    "pictures": Key(dict[str, Any] | None, None),
    "sharing": Key(dict[str, Any] | None, None),
    "balancer": Key(dict[str, Any] | None, None),
    "training": Key(dict[str, Any] | None, None),
    "tuning": Key(dict[str, Any] | None, None),  # what `tune` reads
}
_OF_DATA = {
    "data": Key(str | dict[str, str]),
    "config": Key(str | None, None),
    "format": Key(str | dict[str, Any] | None, None),
}


@dataclass(frozen=True)
class TaskTable:
    """A table ``[tasks.NAME]``.

    Attributes:
        kind: Name of the kind.
        data: Where its data are, paths as they can be opened.
        given: The same as the file has it.
        config: Configuration of the data set.
        format: Format of its files.
        settings: Arguments of the task, ``None`` where they come from the data or the encoder.
    """

    kind: str
    data: Source
    given: Source
    config: str | None
    format: Any
    settings: Mapping[str, Any]

    @property
    def columns(self) -> list[str]:
        """Names of the columns of its texts."""
        given = [self.settings[field] for field in kind_of(self.kind).input_fields]
        return [name for one in given for name in ([one] if isinstance(one, str) else one)]

    @property
    def content(self) -> dict[str, Any]:
        """The table, with all that was left out."""
        of_data = {"data": self.data, "config": self.config, "format": self.format}
        return {"kind": self.kind, **of_data, **self.settings}


@dataclass(frozen=True)
class RunFile:
    """A file that says what to train on what.

    Attributes:
        tasks: The tasks by name.
        encoder: Its kind and arguments.
        tokenizer: Its settings, and how long texts are read.
        sharing: Its kind and arguments.
        balancer: Its kind and arguments.
        training: How to train.
        output: Folder of the run.
        seed: Of the first weights, of dropout and of the order of the data.
        validation: Share of the training rows to validate on where a data set has no such split.
        validation_seed: Of the choice of these rows.
        languages: Which column holds languages, and what reads them; ``None`` where nothing does.
        pictures: Which column holds pictures, and what reads them; ``None`` where nothing does.
    """

    tasks: Mapping[str, TaskTable]
    encoder: Mapping[str, Any]
    tokenizer: Mapping[str, Any]
    sharing: Mapping[str, Any]
    balancer: Mapping[str, Any]
    training: Mapping[str, Any]
    output: Path
    seed: int
    validation: float
    validation_seed: int
    languages: Mapping[str, Any] | None = None
    pictures: Mapping[str, Any] | None = None

    @property
    def content(self) -> dict[str, Any]:
        """The file, with all that was left out; without the folder of the run."""
        return {
            "seed": self.seed,
            "validation": self.validation,
            "validation_seed": self.validation_seed,
            "tasks": {name: task.content for name, task in self.tasks.items()},
            "encoder": self.encoder,
            "tokenizer": self.tokenizer,
            "languages": self.languages,
            "pictures": self.pictures,
            "sharing": self.sharing,
            "balancer": self.balancer,
            "training": self.training,
        }

    def of_one(self, name: str, output: Path) -> RunFile:
        """Return a file that trains one of the tasks alone, with the same settings.

        Args:
            name: The task.
            output: Folder of its run.
        """
        metric = self.training["metric"]
        of_it = {"validation_loss", f"validation_{name}"}
        own = metric if metric and (metric in of_it or metric.startswith(f"{name}_")) else None
        mode = self.training["mode"] if own else None
        alone = {"tasks": {name: self.tasks[name]}, "sharing": {"kind": "hard"}, "output": output}
        alone["balancer"] = of_one_task(self.balancer, name)
        of_tasks = self.training["task_metrics"] or {}
        judged = {"metric": own, "mode": mode}
        judged["task_metrics"] = {t: c for t, c in of_tasks.items() if t == name} or None
        return replace(self, **alone, training={**self.training, **judged})  # type: ignore[arg-type]


def read_run_file(path: Path) -> RunFile:
    """Read a file.

    Args:
        path: The file; paths in it are seen from its folder.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is no TOML, or a value is outside its range.
        KeyError: If a key or a name is not known, or missing.
        TypeError: If a value is of another type.
    """
    return run_file_of(read_toml(path), path)


def run_file_of(content: Mapping[str, Any], path: Path) -> RunFile:
    """Check what a file says; see :func:`read_run_file`.

    Args:
        content: Its tables.
        path: The file; paths in it are seen from its folder.

    Raises:
        ValueError: If a value is outside its range.
        KeyError: If a key or a name is not known, or missing.
        TypeError: If a value is of another type.
    """
    base = path.resolve().parent
    top = read_table(content, _TOP, str(path))
    if not top["tasks"]:
        raise ValueError(f"{path} has no task: add a table [tasks.NAME]")
    tasks = {name: _task(name, table, base) for name, table in top["tasks"].items()}
    encoder = _of_kind(top["encoder"] or {}, "[encoder]", "bilstm", _encoder_keys())
    given = encoder.get("name_or_folder")
    if given is not None and (base / Path(given).expanduser()).is_dir():
        encoder["name_or_folder"] = str((base / Path(given).expanduser()).resolve())
    training = read_table(top["training"] or {}, _TRAINING, "[training]")
    sharing = _of_kind(top["sharing"] or {}, "[sharing]", "hard", SHARINGS)
    languages = read_languages(top["languages"], encoder["kind"], sharing["kind"])
    pictures = read_pictures(top["pictures"], encoder["kind"], sharing["kind"], languages)
    return RunFile(
        tasks,
        encoder,
        read_table(top["tokenizer"] or {}, _TOKENIZER, "[tokenizer]"),
        sharing,
        completed(_of_kind(top["balancer"] or {}, "[balancer]", "equal", BALANCERS), list(tasks)),
        _with_steps(training, encoder["kind"] == "pretrained"),
        base / Path(top["output"] or f"runs/{path.stem}").expanduser(),
        top["seed"],
        top["validation"],
        top["validation_seed"],
        languages,
        pictures,
    )


def _encoder_keys() -> dict[str, dict[str, Key]]:
    return {
        kind: keys_of(described, ("vocab_size", "embedding")) | _DEFAULTS[kind]
        for kind, described in ENCODERS.items()
    }


def task_keys(kind: str) -> dict[str, Key]:
    """Return the keys of a task beside those of its data.

    Args:
        kind: Name of the kind.
    """
    described = kind_of(kind)
    keys = keys_of(described, _MADE)
    if is_own(kind):
        if "labels" in keys:
            keys["labels"] = Key(tuple[str, ...] | None, None)
        return keys
    from_data = {"labels": tuple[str, ...], "pooling": str, "mean": float, "spread": float}
    for name, type_ in from_data.items():
        if name in keys:
            keys[name] = Key(type_ | None, None)
    if "scheme" in keys:
        keys["scheme"] = Key(str, "auto")
    if issubclass(described, MaskedLanguageModeling):
        keys["mask"] = Key(str | None, None)
    return keys


def _task(name: str, table: Any, base: Path) -> TaskTable:
    where = f"[tasks.{name}]"
    if not isinstance(table, Mapping) or "kind" not in table:
        raise KeyError(
            f"{where} needs the key 'kind', one of: {', '.join(KINDS)}; or FILE.py:CLASS, a class "
            "of your own"
        )
    kind = table["kind"]
    if isinstance(kind, str) and is_own(kind):
        kind = str(base / Path(kind).expanduser())
    else:
        kind = choice(kind, KINDS, f"{where}: kind")
    table = {**table, "kind": kind}
    values = read_table(table, {"kind": Key(str), **_OF_DATA, **task_keys(kind)}, where)
    if "scheme" in values:
        values["scheme"] = choice(values["scheme"].lower(), SCHEMES, f"{where}: scheme")
    given = values.pop("data")
    if not isinstance(given, str):
        read_table(given, dict.fromkeys(("train", "validation", "test"), Key(str, "")), where)
    with located(where):
        source = _source(given, base)
    of_data = {key: values.pop(key) for key in ("kind", "config", "format")}
    return TaskTable(data=source, given=given, settings=values, **of_data)


def _source(given: Any, base: Path) -> Source:
    """Return where data are, seen from anywhere; names that are registered stay."""
    from mtl_utils import corpora

    if not isinstance(given, str):
        return {split: str(base / Path(file).expanduser()) for split, file in given.items()}
    path = base / Path(given).expanduser()
    return given if given in corpora.names() or not path.exists() else str(path.resolve())


def _of_kind(
    table: Mapping[str, Any], where: str, default: str, kinds: Mapping[str, Mapping[str, Key]]
) -> dict[str, Any]:
    """Read a table whose key ``kind`` tells which others there are."""
    kind = choice(table.get("kind", default), kinds, f"{where}: kind")
    return read_table(table, {"kind": Key(str, kind), **kinds[kind]}, where)


def _with_steps(training: Mapping[str, Any], pretrained: bool) -> dict[str, Any]:
    """Fill in step sizes: what was pretrained takes small ones, and its new heads greater ones."""
    found = dict(training)
    if found["learning_rate"] is None:
        found["learning_rate"] = 5e-5 if pretrained else 1e-3
        if pretrained and found["head_learning_rate"] is None:
            found["head_learning_rate"] = 1e-3
    return found
