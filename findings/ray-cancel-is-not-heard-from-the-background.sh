#!/usr/bin/env bash
# `ray.cancel` does nothing to a running task where the program was put in the background of a script.
#
# One would guess that the task gets a KeyboardInterrupt, as the documentation says, however the program
# was started. A shell that runs a script lets what it puts in the background (`train &`, with or without
# nohup) ignore Ctrl-C; Ray's processes inherit that, and a Python that ignores the signal never raises
# the exception: the task goes on, writes no checkpoint, and no message says why. Only `force=True`
# ends it, without a clean-up. Set the handler in the task: signal.default_int_handler.
#
# ray 2.60.0 on Linux, Python 3.11: started in the foreground the task is cancelled; from the background
# it sleeps on to its end and returns; with the handler set it is cancelled again.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet ray==2.60.0
cd "$folder"
cat > run.py <<'PYTHON'
import logging
import signal
import sys
import time
from pathlib import Path

import ray

where, repairs = sys.argv[1], sys.argv[2] == "repaired"
if where == "background":  # what a shell does to `program &` in a script
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def train(begun, steps=400):
    if repairs:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    Path(begun).write_text("begun")
    for _ in range(steps):
        time.sleep(0.05)
    return "went on to the end"


def started(attempts=3):
    """On a busy machine Ray gives its own processes too little time at first."""
    for attempt in range(attempts):
        try:
            ray.init(num_cpus=1, include_dashboard=False, object_store_memory=1 << 27,
                     log_to_driver=False, logging_level=logging.ERROR)
            return
        except Exception:
            ray.shutdown()
            if attempt == attempts - 1:
                raise


started()
begun = Path("begun.txt").resolve()
begun.unlink(missing_ok=True)
task = ray.remote(max_retries=0)(train).remote(str(begun))
while not (begun.exists() and begun.read_text()):
    time.sleep(0.05)
ray.cancel(task)
try:
    said = ray.get(task)
except (ray.exceptions.TaskCancelledError, ray.exceptions.RayTaskError) as error:
    said = "was cancelled"
ray.shutdown()
print(f"ray {ray.__version__}, {where}, {sys.argv[2]}: the task {said}")
expected = where == "background" and not repairs
assert (said == "went on to the end") == expected
PYTHON
export RAY_USAGE_STATS_ENABLED=0
for options in "foreground plain" "background plain" "background repaired"; do
  # Whatever this script was started by, the first of the three hears Ctrl-C.
  "$folder/venv/bin/python" -c "import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.executable, [sys.executable, 'run.py', *sys.argv[1:]])" $options
done
