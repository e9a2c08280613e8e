#!/usr/bin/env bash
# This run on @NODES@ machine(s) with @GPUS@ GPUs each. Every machine sees this folder under the same path and has verl, vLLM,
# flash-attn and vaak in its environment. On the first machine:  bash run.sh
# On each of the others, with the address of the first:           HEAD=10.0.0.1 bash run.sh
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
port=${PORT:-6379}
# Threads that spin would take the cores of the judges.
export OMP_WAIT_POLICY=passive

if [ -n "${HEAD:-}" ]; then
    exec ray start --address="$HEAD:$port" --num-gpus=@GPUS@ --block
fi

ray start --head --port="$port" --num-gpus=@GPUS@
trap 'ray stop' EXIT
export RAY_ADDRESS="127.0.0.1:$port"
python3 - <<'PYTHON'
import time

import ray

ray.init(log_to_driver=False)
while (found := ray.cluster_resources().get("GPU", 0)) < @NODES@ * @GPUS@:
    print(f"waits for the other machines: {found:g} of {@NODES@ * @GPUS@} GPUs", flush=True)
    time.sleep(10)
PYTHON
mapfile -t overrides <"$here/overrides.txt"
python3 -m verl.trainer.main_ppo "${overrides[@]}"
