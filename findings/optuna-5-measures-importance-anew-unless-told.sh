#!/usr/bin/env bash
# The same call on the same trials names another setting as the important one in Optuna 5 than in Optuna 4.
#
# One would guess that `get_param_importances(study)` goes on saying what share of the differences between all
# trials a setting explains, as it did. Since version 5 it asks, unless an evaluator is given, what tells the best
# tenth of the trials from the rest. Here half of all step sizes ruin a run, and dropout matters a little: version
# 4 gives nearly all importance to the step size, version 5 most of it to dropout. Both are right about their own
# question. Whoever compares a plot of importances with an older one, or reads "unimportant" as "may be left at
# any value", is misled: name the evaluator.
#
# optuna 4.6.0: learning_rate above 0.9 by default. optuna 5.0.0: dropout above 0.5 by default, and learning_rate
# above 0.9 from FanovaImportanceEvaluator.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
cd "$folder"
cat > importances.py <<'PYTHON'
import sys

import optuna
from optuna.importance import FanovaImportanceEvaluator, get_param_importances

optuna.logging.set_verbosity(optuna.logging.ERROR)


def accuracy(trial):
    rate = trial.suggest_float("learning_rate", 0, 1)
    dropout = trial.suggest_float("dropout", 0, 1)
    return (90 if rate > 0.5 else 10) - 20 * (dropout - 0.3) ** 2


sampler = optuna.samplers.RandomSampler(seed=0)
study = optuna.create_study(direction="maximize", sampler=sampler)
study.optimize(accuracy, n_trials=200)
print("optuna", optuna.__version__)
found = {
    "default": get_param_importances(study),
    "fANOVA": get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0)),
}
for name, shares in found.items():
    print(f"{name}:", *(f"{setting} {float(share):.2f}" for setting, share in shares.items()))
assert found["fANOVA"]["learning_rate"] > 0.9
important = max(found["default"], key=found["default"].get)
assert important == sys.argv[1], important
assert found["default"][important] > 0.5
PYTHON
"$folder/venv/bin/pip" install --quiet optuna==5.0.0 scikit-learn==1.9.1
"$folder/venv/bin/python" importances.py dropout
"$folder/venv/bin/pip" install --quiet optuna==4.6.0
"$folder/venv/bin/python" importances.py learning_rate
