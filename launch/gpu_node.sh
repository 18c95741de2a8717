#!/usr/bin/env bash
# All GPUs of one machine. JAX finds them by itself; this file sets the environment only.
#
#   launch/gpu_node.sh --config configs/mlqa.py --workdir runs/mlqa
#
# The batch is global and split over the GPUs; --config.mesh.fsdp=N splits parameters as well.
set -euo pipefail
cd "$(dirname "$0")/.."
export JAX_PLATFORMS=cuda                   # fail rather than train on the CPU
export XLA_PYTHON_CLIENT_MEM_FRACTION=0.92  # of each GPU's memory
export TF_CPP_MIN_LOG_LEVEL=1
exec python -m xmrc_jax.main "$@"
