#!/usr/bin/env bash
# A stored Optuna study that is resumed with the same seeded sampler tries its first random points again.
#
# One would guess that a study which remembers its trials goes on where it stopped. Only the trials are
# stored; the sampler starts its random numbers anew. A script that is simply run again spends its
# start-up trials on settings that are on record, and counts them as new ones.
#
# optuna 5.0.0, TPE, SQLite: trials 6 to 10 equal trials 1 to 5.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet optuna==5.0.0
cd "$folder"
cat > run.py <<'PYTHON'
import optuna

optuna.logging.set_verbosity(optuna.logging.ERROR)


def distance(trial):
    return abs(trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True) - 0.01)


def session():
    study = optuna.create_study(
        storage="sqlite:///study.db", study_name="rates", load_if_exists=True,
        sampler=optuna.samplers.TPESampler(seed=0),
    )
    study.optimize(distance, n_trials=5)
    return [trial.params["learning_rate"] for trial in study.trials]


print("optuna", optuna.__version__)
session()
tried = session()
print("first session: ", *(f"{rate:.5f}" for rate in tried[:5]))
print("second session:", *(f"{rate:.5f}" for rate in tried[5:]))
assert len(tried) == 10
assert tried[:5] == tried[5:]
PYTHON
"$folder/venv/bin/python" run.py
