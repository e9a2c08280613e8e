#!/bin/sh
# Trains one stage on all GPUs of this machine, or of several machines that run the same line. What follows the name of this
# file goes to `vaak train`; run the same line again and it continues.
#
#   sh ops/train-torchrun.sh pt-s1 --out runs/pt-s1 --set 'corpora=[/data/speech]' --set pack=/data/pack
#   NODES=4 HEAD=node1 sh ops/train-torchrun.sh pt-s1 --out /shared/runs/pt-s1 …      on each of four machines
#
# PROCESSES  on this machine; as many as it has GPUs, one without
# NODES      machines that train together; 1
# HEAD       name of the machine that the others find, with more than one
# PORT       where they find it; 29500
# RESTARTS   how often all processes are started again, from the last checkpoint, when one has died; 0
# PYTHON     the interpreter that has vaak; python
# TORCH_ELASTIC_SHUTDOWN_TIMEOUT   seconds that the processes have to save when this is told to stop; 1800, torchrun's own is 30
set -eu
python=${PYTHON:-python}
processes=${PROCESSES:-$("$python" -c 'import torch; print(max(1, torch.cuda.device_count()))')}
nodes=${NODES:-1}
# Each process computes on its GPU; on a CPU they share the cores.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-$(($(nproc) / processes > 0 ? $(nproc) / processes : 1))}"

if [ "$nodes" -eq 1 ]; then
	set -- --standalone --nproc-per-node "$processes" -m vaak.cli.main train "$@"
else
	: "${HEAD:?with NODES above 1, HEAD must name the machine that the others find}"
	set -- --nnodes "$nodes" --nproc-per-node "$processes" --rdzv-backend c10d \
		--rdzv-endpoint "$HEAD:${PORT:-29500}" --rdzv-id vaak -m vaak.cli.main train "$@"
fi
# A new store for every start: torchrun's own still holds the addresses of processes that are gone.
export TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1
export TORCH_ELASTIC_SHUTDOWN_TIMEOUT="${TORCH_ELASTIC_SHUTDOWN_TIMEOUT:-1800}"
# Whoever fails ends all with its sentence, and the next start continues at the last checkpoint.
exec "$python" -m torch.distributed.run --max-restarts "${RESTARTS:-0}" "$@"
