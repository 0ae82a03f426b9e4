#!/usr/bin/env bash
# Importing pyarrow, as datasets does, leaves a second thread in the process, also where another memory pool is chosen.
#
# One would guess that an import starts no thread, and that a process which asks for the system's allocator
# has none of jemalloc's. The thread gives memory back in the background. Python knows nothing of it
# (threading lists one), a forked process does not have it, and from Python 3.12 on os.fork warns of a
# process with several threads: loaders with forked workers and servers that warm up one process and fork
# it meet this on Linux. A variable of the environment, read before the import, turns it off.
#
# pyarrow 26.0.1, on Linux.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pyarrow==26.0.1
cd "$folder"
cat > run.py <<'PYTHON'
import os
import sys
import threading


def threads():
    return sorted(open(f"/proc/self/task/{t}/comm").read().strip() for t in os.listdir("/proc/self/task"))


before = len(threads())
import pyarrow

after = threads()
print("pyarrow", pyarrow.__version__, "pool", pyarrow.default_memory_pool().backend_name)
print("threads before", before, "after", after, "as Python lists them", threading.active_count())
assert before == 1 and threading.active_count() == 1
assert len(after) == int(sys.argv[1])
PYTHON
python="$folder/venv/bin/python"
"$python" run.py 2
ARROW_DEFAULT_MEMORY_POOL=system "$python" run.py 2
JE_ARROW_MALLOC_CONF=background_thread:false "$python" run.py 1
