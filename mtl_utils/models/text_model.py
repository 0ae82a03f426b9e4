"""The text model: any tasks over any way of sharing, from rows of data sets to labels by name."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeAlias

from mtl_utils.arguments import check_choice, check_flag, check_kind
from mtl_utils.data.batch import Batch
from mtl_utils.data.examples import Example
from mtl_utils.data.loading import Loader
from mtl_utils.data.tokenization import Tokenizer, check_tokenizer
from mtl_utils.models import fitting, measuring
from mtl_utils.models.beside import beside_columns
from mtl_utils.models.predicting import Predictor
from mtl_utils.models.rows import (
    Rows,
    by_task,
    check_has_columns,
    check_text_tasks,
    examples_of,
    rows_of,
    tasks_in,
)
from mtl_utils.models.text_reading import LONG, TextReader, longest_text
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.multitask.parts import checked_parts
from mtl_utils.nn.rebuilding import Recipe
from mtl_utils.objectives.base import Balancer
from mtl_utils.sharing import Sharing
from mtl_utils.tasks.text_task import Text, TextTask
from mtl_utils.training.callbacks import AnyCallback
from mtl_utils.training.configuration import TrainerConfig
from mtl_utils.training.directions import Direction
from mtl_utils.training.history import History

Data: TypeAlias = Rows | Sequence[Example]
"""Rows of a data set, or the examples that they became."""


class TextModel(MultiTaskModel):
    """Any tasks of texts over any way of sharing: trained, measured, asked, stored.

    A text is read as ``<bos>`` text ``<eos>``, a pair as ``<bos>`` first ``<eos>`` second
    ``<eos>``, with whatever special tokens the tokenizer has. Tasks that read the same of a row
    share one pass of the encoder.

    Args:
        sharing: How the encoder's parameters are shared.
        tasks: The tasks, each with the names of its columns.
        tokenizer: Turns texts into pieces; that of the pretrained encoder where there is one.
        max_length: The longest text or pair that can be read, special tokens included; as many as
            the encoders read if ``None``.
        long: What becomes of texts that are longer. ``"error"`` refuses them. With ``"windows"``
            every word is labelled: long sentences are read in windows that overlap
            (:func:`mtl_utils.data.encode_windows`), and of each word the state is taken from the
            one where it has most context. Other tasks read what is left when the end is cut off,
            and a warning says of how many texts. It can be set later, and is stored with the model.
        picture: Name of the column that holds a picture beside the text, for encoders that read
            one (:class:`mtl_utils.nn.EarlyFusion` and others); ``None`` where none is read.
        picture_size: Height and width in pixels that pictures are scaled to; ``None`` takes them as
            they are, all of one size.
        language: Name of the column that holds the language of a text by name, for encoders that
            ask for it (:class:`mtl_utils.sharing.LanguageAdapters`, or one whose embedding is a
            :class:`mtl_utils.nn.LanguageEmbedding`); ``None`` where none does.
        languages: Names of the languages in the order of their ids; those of the adapters if
            ``None``.

    Raises:
        ValueError: As :class:`mtl_utils.models.MultiTaskModel`; if ``max_length`` is more than an
            encoder reads, there is no such way of treating what is long, languages have no column,
            no names or the same one, or there is a size of pictures below 1 or without a column.
        KeyError: As :class:`mtl_utils.models.MultiTaskModel`.
        TypeError: If something is not of its kind, or a task knows no columns.
    """

    _used_as = 'model.predict(["A text."])'

    def __init__(
        self,
        sharing: Sharing,
        tasks: Iterable[TextTask],
        tokenizer: Tokenizer | None,
        *,
        max_length: int | None = None,
        long: str = "error",
        picture: str | None = None,
        picture_size: int | None = None,
        language: str | None = None,
        languages: Sequence[str] | None = None,
    ) -> None:
        if tokenizer is not None:
            check_tokenizer(tokenizer)
        super().__init__(sharing, tasks)  # type: ignore[arg-type]  # it refuses what are no tasks
        check_text_tasks(self.tasks.values())
        self.tokenizer, self.max_length = tokenizer, longest_text(sharing, max_length)
        check_choice("long", long, LONG)
        self.long = long
        self.beside = beside_columns(sharing, picture, language, languages, picture_size)

    @property
    def text_tasks(self) -> dict[str, TextTask]:
        """The tasks by name."""
        return {name: task for name, task in self.tasks.items() if isinstance(task, TextTask)}

    def examples(
        self, data: Rows, tasks: Iterable[str] | None = None, *, truncate: bool | None = None
    ) -> list[Example]:
        """Turn the rows of a data set into what the model learns from and is measured on.

        Labels are names or ids; those of a column of ``datasets`` with a
        :class:`datasets.ClassLabel` are read by its names. A label that is missing (``None``, or -1
        in such a column) is neither learnt nor measured, and a row without any is left out.

        Args:
            data: The rows: a :class:`datasets.Dataset`, a ``pandas.DataFrame`` or a list of
                mappings from columns to cells.
            tasks: Names of the tasks to read; if ``None``, all whose columns are there.
            truncate: Whether to cut what is too long (:func:`mtl_utils.data.encode_pair`), or to
                refuse it; if ``None``, as the model's ``long`` says. The tags of words that are cut
                are not learnt, and count as missed where they are measured.

        Returns:
            For each row an example for every different text that tasks read in it.

        Raises:
            ValueError: If a text is too long, a label does not exist, no row has any, no task finds
                its columns, or the model has no tokenizer; a note says which row.
            KeyError: If a label is not among those of its task, or a task that was asked for does
                not exist or find its columns.
            TypeError: If the data are no rows, or a cell no text.
        """
        if truncate is not None:
            check_flag("truncate", truncate)
        rows = rows_of(data, self.text_tasks, self.beside.names)
        check_has_columns(rows, self.beside)
        found = tasks_in(rows, self.text_tasks, [tasks] if isinstance(tasks, str) else tasks)
        return examples_of(rows, found, self._reader, truncate)

    def loader(
        self,
        data: Data | Mapping[str, Data],
        *,
        batch_size: int | None = None,
        max_tokens: int | None = None,
        sampling: str | float | Mapping[str, Any] = "joint",
        shuffle: bool = True,
        seed: int = 0,
    ) -> Loader:
        """Return batches of one data set, or of several by task.

        Args:
            data: Rows or examples; or one of these for each task. Where two tasks are given the
                same object, its rows carry the labels of both.
            batch_size: Number of rows of a batch; 32 if there is no ``max_tokens`` either.
            max_tokens: Budget of a batch in tokens, padding included, instead.
            sampling: How several data sets share the steps. ``"joint"``: every step takes a batch
                of each (:class:`mtl_utils.training.JointBatches`). ``"turns"``: one data set a
                step, in turn. ``"size"``, ``"sqrt"``, ``"uniform"`` or a temperature: one data set
                a step, drawn (:class:`mtl_utils.training.SampledBatches`).
            shuffle: Whether to form batches by length and shuffle them.
            seed: Seed of the order.

        Raises:
            ValueError: As :meth:`examples`; if there is no such sampling, or both sizes are given.
            KeyError: As :meth:`examples`, or if a key is no task.
            TypeError: As :meth:`examples`.
        """
        given = by_task(data, self.text_tasks)
        sets = [fitting.examples_for(self, tasks, rows) for tasks, rows in given]
        settings: dict[str, Any] = {"batch_size": batch_size, "max_tokens": max_tokens}
        settings |= {"pad_id": 0 if self.tokenizer is None else self.tokenizer.pad_id}
        settings |= {"shuffle": shuffle, "seed": seed}
        return fitting.loader_of(sets, sampling, self.text_tasks, **settings)

    def fit(
        self,
        train: Data | Mapping[str, Data] | Loader,
        validation: Data | Mapping[str, Data] | Loader | None = None,
        *,
        config: TrainerConfig | None = None,
        balancer: Balancer | None = None,
        metric: str | None = None,
        mode: Direction | None = None,
        batch_size: int | None = None,
        max_tokens: int | None = None,
        sampling: str | float | Mapping[str, Any] = "joint",
        head_learning_rate: float | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        on_other_run: str = "refuse",
        progress: bool | Literal["lines"] = True,
        callbacks: Sequence[AnyCallback] = (),
        task_metrics: Mapping[str, str] | None = None,
        shares_every: int | None = 50,
    ) -> History:
        """Train in place; the model is left with its best weights, in evaluation mode.

        Args:
            train: Training data: see :meth:`loader`, or a loader.
            validation: Validation data, measured after each epoch: the losses, and where the
                labels allow it the metrics of every task. Its best weights are kept.
            config: How to train.
            balancer: What turns the losses into one update; their sum if ``None``.
            metric: Column of the history that tells which weights are best, such as ``"names_f1"``;
                ``"validation_loss"`` if ``None``.
            mode: Whether it is better when smaller or when greater; its name tells if ``None``.
            batch_size: See :meth:`loader`.
            max_tokens: See :meth:`loader`.
            sampling: See :meth:`loader`.
            head_learning_rate: Step size of the heads, beside that of the config for the rest.
            checkpoint: File from which an interrupted training goes on.
            on_other_run: Whether to ``"refuse"`` the checkpoint of another run or ``"restart"``.
            progress: This and what follows: see :class:`mtl_utils.training.Trainer`.
            callbacks: What is told of steps and epochs, and may end the training.
            task_metrics: By which column each task is stopped by itself.
            shares_every: Steps from one measurement of the tasks' shares of the gradient to the
                next; 0 or ``None`` measures none.

        Returns:
            One row an epoch; see :meth:`mtl_utils.training.Trainer.fit`.

        Raises:
            ValueError: As :meth:`loader` and :class:`mtl_utils.training.Trainer`; if sizes are
                given for a loader, which has its own.
            KeyError: Likewise; if there is no such metric.
            TypeError: Likewise.
            FloatingPointError: If a loss or gradient stops being a finite number.
        """
        config = TrainerConfig() if config is None else config
        check_kind("config", config, TrainerConfig, "a TrainerConfig")
        sizes: dict[str, Any] = {"batch_size": batch_size, "max_tokens": max_tokens}
        batches, measured = fitting.loaders_of(
            self,
            train,
            validation,
            **sizes,
            sampling=sampling,
            seed=config.seed,
            epochs=config.epochs,
        )
        trainer = fitting.trainer_of(
            self,
            measured,
            config=config,
            balancer=balancer,
            metric=metric,
            mode=mode,
            head_learning_rate=head_learning_rate,
            checkpoint=checkpoint,
            on_other_run=on_other_run,
            progress=progress,
            callbacks=callbacks,
            task_metrics=task_metrics,
            shares_every=shares_every,
        )
        return trainer.fit(batches, measured)

    def predict(
        self,
        texts: Batch | Iterable[Text] | Rows,
        tasks: Sequence[str] | None = None,
        *,
        second: Iterable[Text] | None = None,
        pictures: Iterable[Any] | None = None,
        languages: str | Iterable[str] | None = None,
        probabilities: bool = False,
        max_tokens: int = 4096,
    ) -> Any:
        """Predict labels by name.

        Args:
            texts: Texts, each a string or a sequence of words; or rows of a data set, of which
                tasks read their columns. A string is split into words where a task labels words
                (:func:`mtl_utils.data.split_words`). A batch is predicted as by
                :meth:`mtl_utils.models.MultiTaskModel.predict`.
            tasks: Names of the tasks. If ``None``, all that can read what is given: tasks of pairs
                are left out where there are no second texts.
            second: The second text of each pair.
            pictures: The picture beside each text, or ``None`` where there is none, if texts are
                given and not rows.
            languages: Name of the language of all texts, or of each, if texts are given and not
                rows and the encoder asks for it.
            probabilities: Whether to return the probabilities of all labels instead of the best
                label.
            max_tokens: How many pieces, padding included, are read at a time; it does not change
                the result.

        Returns:
            For each text a mapping from tasks to what they say: the name of a label, one a word, a
            list of names, a number, or a text; or mappings from labels to probabilities.

        Raises:
            ValueError: If a text is too long and ``long`` is ``"error"``, there are more second
                texts than texts, no task can read them or the second, or there is no tokenizer.
            KeyError: If a task is unknown, or a row lacks its columns.
            TypeError: If a single string was given for many texts.
        """
        if isinstance(texts, Batch):
            return super().predict(texts, tasks)
        check_flag("probabilities", probabilities)
        readings = fitting.readings(texts, second, self.text_tasks, tasks)
        if not any(readings.values()):
            return []
        predictor = self._predictor(list(readings), max_tokens, probabilities)
        number = len(next(iter(readings.values())))
        beside = fitting.beside_texts(texts, pictures, languages, number, self.beside)
        return predictor.of(readings, beside)

    def evaluate(
        self, examples: Data | Mapping[str, Data] | Loader, *, max_tokens: int = 4096
    ) -> dict[str, float]:
        """Measure each task where there are labels of it, without dropout.

        Args:
            examples: Rows of a data set, one data set for each task, examples or a loader. In rows
                every word is measured with ``long="windows"``, and what is written is compared as
                text.
            max_tokens: How many pieces, padding included, are read at a time.

        Returns:
            The metrics of the tasks that have labels, each under the name of its task, such as
            ``topic_accuracy``.

        Raises:
            ValueError: As :meth:`examples`; if nothing has a label.
            KeyError: As :meth:`examples`.
            TypeError: As :meth:`examples`.
            NotImplementedError: If examples have labels of a task that writes text: give rows.
        """
        if fitting.are_examples(examples) or fitting.is_loader(examples):
            return super().evaluate(examples, max_tokens=max_tokens)  # type: ignore[arg-type]
        measured = measuring.of_data(self, examples, max_tokens)
        if not measured:
            raise ValueError(
                f"No row has a label of {list(self.tasks)}; there is nothing to measure"
            )
        return measured

    def add_task(  # type: ignore[override]  # it reads data sets
        self, task: TextTask, part: Any = None
    ) -> None:
        """Give the model one more task; see :meth:`mtl_utils.models.MultiTaskModel.add_task`.

        Args:
            task: The task.
            part: What the way of sharing is to have for it, as there.

        Raises:
            ValueError: As there.
            KeyError: As there.
            TypeError: As there; if the task knows no columns.
        """
        check_text_tasks(checked_parts(self.sharing, [task]))
        super().add_task(task, part)  # type: ignore[arg-type]

    def _recipe_now(self) -> Recipe:
        recipe = super()._recipe_now()
        given = recipe.arguments
        now: dict[str, Any] = {"tokenizer": self.tokenizer, "max_length": self.max_length}
        beside = self.beside
        now |= {"long": self.long, "picture": beside.picture, "picture_size": beside.picture_size}
        now |= {"language": beside.language, "languages": list(beside.languages) or None}
        return replace(recipe, arguments={k: now.get(k, value) for k, value in given.items()})

    def _facts(self, data: Mapping[str, str]) -> list[str]:
        read = f"It reads texts of at most {self.max_length or 'any number of'} tokens."
        first, *others = super()._facts(data)
        return [f"{first} {read}", *others]

    def _predictor(
        self, tasks: Sequence[str], max_tokens: int, probabilities: bool = False
    ) -> Predictor:
        chosen = {name: self.text_tasks[name] for name in tasks}

        def predict(examples: list[Example], function: Any) -> list[Any]:
            return self._predicted(examples, function, max_tokens)

        return Predictor(self, chosen, self._reader, predict, probabilities)

    @property
    def _reader(self) -> TextReader:
        """What turns texts into ids, as far as the model reads."""
        return TextReader(self.tokenizer, self.max_length, self.long, self.beside)
