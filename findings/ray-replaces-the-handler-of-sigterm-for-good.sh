#!/usr/bin/env bash
# `ray.init` replaces what a program does at SIGTERM, and `ray.shutdown` does not put it back.
#
# One would guess that a library which is connected to and left again leaves the signals of a program as
# it found them, as it does leave that of Ctrl-C. Schedulers send SIGTERM before they end a job, and
# programs that train write a checkpoint then: after `ray.init` they end without one, and no message says
# so, even when Ray has long gone. Install the handler after `ray.init`, or put it back.
#
# ray 2.60.0 on Linux: the handler is Ray's own after `init` and after `shutdown`; that of SIGINT stays.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet ray==2.60.0
cd "$folder"
cat > run.py <<'PYTHON'
import logging
import signal

import ray


def checkpoint(number, frame):
    print("writing a checkpoint")


def handlers():
    return {sent.name: signal.getsignal(sent) for sent in (signal.SIGTERM, signal.SIGINT)}


def started(attempts=3):
    """On a busy machine Ray gives its own processes too little time at first."""
    for attempt in range(attempts):
        try:
            ray.init(num_cpus=1, include_dashboard=False, object_store_memory=1 << 27,
                     log_to_driver=False, logging_level=logging.ERROR)
            return
        except Exception:
            ray.shutdown()
            signal.signal(signal.SIGTERM, checkpoint)
            if attempt == attempts - 1:
                raise


print("ray", ray.__version__)
signal.signal(signal.SIGTERM, checkpoint)
signal.signal(signal.SIGINT, checkpoint)
started()
during = handlers()
ray.shutdown()
after = handlers()
for name, found in (("after init", during), ("after shutdown", after)):
    print(f"{name}:", {sent: handler.__qualname__ for sent, handler in found.items()})
assert during["SIGTERM"] is after["SIGTERM"] is not checkpoint
assert during["SIGINT"] is after["SIGINT"] is checkpoint
assert during["SIGTERM"].__module__.startswith("ray.")
PYTHON
RAY_USAGE_STATS_ENABLED=0 "$folder/venv/bin/python" run.py
