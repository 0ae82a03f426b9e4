#!/usr/bin/env bash
# `accelerate launch --num_processes 2` on a machine without a GPU starts one process, and ends well.
#
# One would guess that a launcher starts as many processes as it is told, or says that it cannot. Without a GPU
# `--num_processes 2` alone leads to the launcher for a single process: the script runs once, with num_processes 1,
# and the exit status is 0. Only warnings about defaults are printed, and `--cpu` beside it changes
# nothing. torchrun starts two.
# It matters wherever a training of several processes is tried out or tested before there are GPUs: batches are
# half as large as thought, nothing is averaged, and every test of it passes.
#
# accelerate 1.15.0, torch 2.13.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 accelerate==1.15.0
cd "$folder"
export HF_HOME="$folder/settings" CUDA_VISIBLE_DEVICES="" OMP_NUM_THREADS=1
cat > train.py <<'PYTHON'
from accelerate import PartialState

state = PartialState(cpu=True)
print(f"process {state.process_index} of {state.num_processes}", flush=True)
PYTHON
"$folder/venv/bin/python" -c 'import accelerate, torch; print("accelerate", accelerate.__version__, "torch", torch.__version__)'
count() { grep -c "^process" "$1"; }
"$folder/venv/bin/accelerate" launch --num_processes 2 train.py > plain.txt 2> plain.err
echo "accelerate launch --num_processes 2: exit status $?"; cat plain.txt
"$folder/venv/bin/accelerate" launch --cpu --num_processes 2 train.py > cpu.txt 2> cpu.err
echo "with --cpu: exit status $?"; sort cpu.txt
"$folder/venv/bin/torchrun" --nproc-per-node 2 train.py > torchrun.txt 2> torchrun.err
echo "torchrun: exit status $?"; sort torchrun.txt
test "$(count plain.txt)" = 1
grep -q "of 1" plain.txt
test "$(count torchrun.txt)" = 2
test "$(count cpu.txt)" = 1
