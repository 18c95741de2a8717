#!/usr/bin/env bash
# All GPUs of one machine in one process. JAX finds them by itself; this file sets the environment,
# and restart.sh starts the command again after a preemption or a crash.
#
#   launch/gpu_node.sh --config configs/mlqa.py --workdir runs/mlqa
#
# The batch is global and split over the GPUs; --config.mesh.fsdp=N splits parameters as well.
set -euo pipefail
cd "$(dirname "$0")/.."
. launch/gpu_env.sh
exec launch/restart.sh python -m xmrc_jax.main "$@"
