"""A search: trials that draw settings, try them, and are written down."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mtl_utils.arguments import check_callable, check_path, check_seed, check_whole
from mtl_utils.files import locked_folder
from mtl_utils.training.directions import Direction
from mtl_utils.tuning import fronts
from mtl_utils.tuning.attempts import Attempt, check_objectives, checked_scores
from mtl_utils.tuning.journal import Session, holds, journal_storage
from mtl_utils.tuning.needs import optuna
from mtl_utils.tuning.samplers import Pruner, Sampler, check_pruner, pruner_of, sampler_of
from mtl_utils.tuning.space import Ratios, Recorded, Simplex, Space, check_space, suggest
from mtl_utils.tuning.states import ERROR, counts, state_of

NAME = "search"
ABOUT, SESSION, LOST = "about", "session", "lost"
MOST_LOST = 3
"""So often a trial is begun whose process dies each time: it may be what kills it."""

#: What is tried: settings by name and the attempt; returns the objective, or objectives by name.
Objective = Callable[[dict[str, Any], Attempt], float | Mapping[str, float]]


@dataclass(frozen=True)
class Found:
    """A trial that ended well.

    Args:
        number: Its number.
        settings: What was tried, by name of the space.
        scores: Its objectives by name.
    """

    number: int
    settings: Mapping[str, Any]
    scores: Mapping[str, float]


class Search:
    """Trials of settings, by Optuna (Akiba et al., 2019).

    With a folder everything is in a journal there: the same call goes on with it, several processes
    that make the same call share it, and a process that is killed loses the trial that it was at,
    which another begins again with the same settings. Each session has random numbers of its own:
    a sampler that is seeded the same again would draw its first settings again.

    Args:
        space: What is drawn, by name.
        objectives: By name, whether greater is better, ``"max"``, or smaller, ``"min"``.
        folder: Where the journal is; ``None`` keeps everything in memory.
        sampler: How settings are drawn: ``"random"``, ``"tpe"``, which draws near what was good
            (Bergstra et al., 2011), or a function that makes a sampler of Optuna from a seed.
        pruner: What gives trials up that are worse than others at the same step
            (:meth:`Attempt.report`): ``"median"``, ``"halving"`` (Li et al., 2020), a pruner of
            Optuna, or ``None``. It takes one objective.
        seed: Of what is drawn. In one process and one session the same seed draws the same.

    Attributes:
        study: Optuna's study, for all that is not here.

    Raises:
        ImportError: If Optuna is not installed.
        TypeError: If something is not of its kind.
        ValueError: If a name or direction is not known, several objectives are to be pruned, or the
            folder holds a search of another space or other objectives.
        OSError: If the folder cannot be written.
    """

    def __init__(
        self,
        space: Space,
        objectives: Mapping[str, Direction],
        *,
        folder: str | Path | None = None,
        sampler: Sampler = "tpe",
        pruner: Pruner = None,
        seed: int = 0,
    ) -> None:
        check_space(space)
        check_objectives(objectives)
        check_pruner(pruner, len(objectives))
        check_seed("seed", seed)
        if folder is not None:
            check_path("folder", folder)
        self.space, self.objectives = dict(space), dict(objectives)
        self.folder = None if folder is None else Path(folder)
        self._session = None
        storage = None
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            storage, self._session = journal_storage(self.folder), Session(self.folder)
        number = 0 if self._session is None else self._session.number
        own = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
        directions = ["maximize" if d == "max" else "minimize" for d in objectives.values()]
        with self._alone():
            self.study = optuna().create_study(
                storage=storage,
                study_name=NAME,
                sampler=sampler_of(sampler, own),
                pruner=pruner_of(pruner),
                directions=None if holds(storage, NAME) else directions,
                load_if_exists=True,
            )
            self._check_same()

    def _check_same(self) -> None:
        about = {"space": {n: repr(d) for n, d in self.space.items()}, "for": self.objectives}
        there = self.study.user_attrs.get(ABOUT)
        if there is None:
            self.study.set_user_attr(ABOUT, about)
        elif there != json.loads(json.dumps(about)):
            wrong = next(key for key in about if there.get(key) != about[key])
            raise ValueError(
                f"folder {self.folder} holds another search: of {wrong} {there.get(wrong)!r:.200} "
                f"there and {about[wrong]!r:.200} here. Name another folder"
            )

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes from taking trials meanwhile."""
        with nullcontext() if self.folder is None else locked_folder(self.folder):
            yield

    def run(
        self,
        objective: Objective,
        trials: int,
        *,
        catch: tuple[type[Exception], ...] = (FloatingPointError,),
    ) -> Search:
        """Try settings until the search has so many trials, those of other processes among them.

        Args:
            objective: Takes the settings by name and the :class:`Attempt`, and returns the
                objective, or objectives by name; other names are passed over. Measure on
                validation data.
            trials: How many there are to be, from all sessions; trials that were lost with their
                process do not count.
            catch: Errors that make a trial a failed one, which counts. Others end the run, and
                their trial does not count.

        Returns:
            The search itself.

        Raises:
            TypeError: If something is not of its kind.
            ValueError: If ``trials`` is less than 1.
            KeyError: If an objective is not among what was returned.
        """
        while self.run_one(objective, trials, catch=catch):
            pass
        return self

    def run_one(
        self,
        objective: Objective,
        trials: int,
        *,
        catch: tuple[type[Exception], ...] = (FloatingPointError,),
    ) -> bool:
        """Try settings once, unless the search has so many trials.

        Args:
            objective: As :meth:`run` takes it.
            trials: How many there are to be.
            catch: Errors that make a trial a failed one.

        Returns:
            Whether there was a trial to make.

        Raises:
            TypeError: If something is not of its kind.
            ValueError: If ``trials`` is less than 1.
            KeyError: If an objective is not among what was returned.
        """
        check_callable("objective", objective, "a function of settings and an attempt")
        check_whole("trials", trials, least=1)
        trial = self._take(trials)
        if trial is None:
            return False
        self._try(objective, trial, catch)
        return True

    def close(self) -> None:
        """End the session of this process: others begin again what it left half-way."""
        if self._session is not None:
            self._session.close()

    def _take(self, trials: int) -> Any:
        """Begin a trial, unless there are enough."""
        state = optuna().trial.TrialState
        with self._alone():
            self._give_back_lost()
            there = self.study.get_trials(deepcopy=False)
            waiting = any(trial.state == state.WAITING for trial in there)
            if not waiting and sum(map(counts, there)) >= trials:
                return None
            trial = self.study.ask()
            trial.set_user_attr(SESSION, -1 if self._session is None else self._session.number)
            return trial

    def _give_back_lost(self) -> None:
        """Fail trials whose process is gone, and put their settings up again."""
        state = optuna().trial.TrialState
        if self._session is None:
            return
        for trial in self.study.get_trials(deepcopy=False, states=(state.RUNNING,)):
            # One without a session was not even begun: whoever took it died here, alone.
            number = trial.user_attrs.get(SESSION)
            if number is None or not self._session.lives(number):
                self._lose(trial.number, trial)

    def _lose(self, number: int, trial: Any) -> None:
        before = int(trial.user_attrs.get(LOST, 0)) + 1
        self.study.tell(number, state=optuna().trial.TrialState.FAIL)
        if before < MOST_LOST and trial.params:
            self.study.enqueue_trial(dict(trial.params), user_attrs={LOST: before})

    def _try(self, objective: Objective, trial: Any, catch: tuple[type[Exception], ...]) -> None:
        state = optuna().trial.TrialState
        try:
            returned = objective(suggest(self.space, trial), self._attempt(trial))
            scores = checked_scores(returned, self.objectives)
        except optuna().TrialPruned:
            self.study.tell(trial, state=state.PRUNED)
        except catch as error:
            trial.set_user_attr(ERROR, f"{type(error).__name__}: {error}"[:500])
            self.study.tell(trial, state=state.FAIL)
        except KeyboardInterrupt:
            self._lose(trial.number, self.study.get_trials(deepcopy=False)[trial.number])
            raise
        except BaseException:
            self.study.tell(trial, state=state.FAIL)
            raise
        else:
            if all(map(math.isfinite, scores)):
                self.study.tell(trial, scores)
                return
            trial.set_user_attr(ERROR, f"scores that are not finite: {scores}")
            self.study.tell(trial, state=state.FAIL)

    def _attempt(self, trial: Any) -> Attempt:
        return Attempt(trial, len(self.objectives) == 1)

    def settings(self, number: int) -> dict[str, Any]:
        """Return what a trial tried, by name of the space.

        Args:
            number: Its number.

        Raises:
            KeyError: If there is no such trial, or it drew nothing yet.
            TypeError: If the number is none.
        """
        check_whole("number", number)
        there = self.study.get_trials(deepcopy=False)
        if not 0 <= number < len(there) or not there[number].params:
            raise KeyError(
                f"number {number} is no trial that drew settings; there are {len(there)}"
            )
        return suggest(self.space, Recorded(there[number].params))

    def best(self, objective: str | None = None) -> Found:
        """Return the best finished trial, the first of several as good.

        Args:
            objective: By which objective; the first if ``None``.

        Raises:
            KeyError: If there is no such objective.
            ValueError: If no trial has finished.
        """
        name = self._objective(objective)
        finished = self._finished()
        sign = 1 if self.objectives[name] == "max" else -1
        return max(finished, key=lambda found: sign * found.scores[name])

    def front(self) -> list[Found]:
        """Return the finished trials that no other beats, by their first objective.

        Raises:
            ValueError: If no trial has finished.
        """
        finished = self._finished()
        points = [list(found.scores.values()) for found in finished]
        kept = fronts.pareto_front(points, list(self.objectives.values()))
        on_it = [found for found, keep in zip(finished, kept, strict=True) if keep]
        return sorted(on_it, key=lambda found: next(iter(found.scores.values())))

    def _finished(self) -> list[Found]:
        complete = optuna().trial.TrialState.COMPLETE
        found = [
            Found(t.number, self.settings(t.number), dict(zip(self.objectives, t.values)))  # noqa: B905
            for t in self.study.get_trials(deepcopy=False, states=(complete,))
        ]
        if not found:
            raise ValueError("No trial of the search has finished; run some first")
        return found

    def _objective(self, objective: str | None) -> str:
        if objective is None:
            return next(iter(self.objectives))
        if objective not in self.objectives:
            raise KeyError(f"objective must be one of {list(self.objectives)}, got {objective!r}")
        return objective

    def table(self) -> pd.DataFrame:
        """Return one row a trial.

        Returns:
            ``trial``, its number; ``state``: finished, pruned, failed, lost, running or waiting;
            the objectives; the settings, the weight of each task in a column of its own, such as
            ``weights.topic``; notes (:meth:`Attempt.note`); ``session``, ``seconds``, and ``error``
            of failed ones.
        """
        rows = []
        for trial in self.study.get_trials(deepcopy=False):
            values = trial.values if trial.state.name == "COMPLETE" else None
            scores = values or [math.nan] * len(self.objectives)
            notes = {
                key.removeprefix("note:"): value
                for key, value in trial.user_attrs.items()
                if key.startswith("note:")
            }
            seconds = trial.duration.total_seconds() if trial.duration else math.nan
            rows.append(
                {
                    "trial": trial.number,
                    "state": state_of(trial),
                    **dict(zip(self.objectives, scores, strict=True)),
                    **self._flat(trial.params),
                    **notes,
                    "session": trial.user_attrs.get(SESSION),
                    "seconds": seconds,
                    "error": trial.user_attrs.get(ERROR),
                }
            )
        return pd.DataFrame(rows)

    def _flat(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return settings one a column, as far as they were drawn."""
        found: dict[str, Any] = {}
        for name, dimension in self.space.items():
            with suppress(KeyError):
                value = dimension.suggest(Recorded(params), name)
                several = isinstance(dimension, Simplex | Ratios)
                found |= {f"{name}.{t}": v for t, v in value.items()} if several else {name: value}
        return found

    def importances(self, objective: str | None = None) -> pd.Series:
        """Return how what single settings explain divides among the drawn numbers.

        By functional analysis of variance over a random forest (Hutter et al., 2014), which needs
        scikit-learn. What only several settings together explain is left out, and the rest is
        scaled to a sum of 1: a share is none of all differences between trials. Only finished
        trials count. It speaks of the space as it was drawn: a wider range is more importance. Of
        weights on a :class:`Simplex` each is the part that it has of what those before it left.

        Args:
            objective: Which one; the first if ``None``.

        Returns:
            Shares by name, greatest first, that sum to 1.

        Raises:
            ImportError: If scikit-learn is not installed.
            KeyError: If there is no such objective.
            ValueError: If fewer than two trials have finished.
        """
        place = list(self.objectives).index(self._objective(objective))
        finished = self._finished()
        if len(finished) < 2:
            raise ValueError(f"importances need two finished trials at least, got {len(finished)}")
        module = optuna().importance
        found = module.get_param_importances(
            self.study,
            evaluator=module.FanovaImportanceEvaluator(seed=0),
            target=lambda trial: trial.values[place],
        )
        return pd.Series(found, name="importance", dtype=float)
