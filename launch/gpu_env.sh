# shellcheck shell=bash
# Sourced by what runs on GPUs; whatever is set outside wins.
export JAX_PLATFORMS="${JAX_PLATFORMS:-cuda}" # fail rather than train on the CPU
if [ -z "${XLA_PYTHON_CLIENT_MEM_FRACTION:-}" ]; then # its old name; JAX refuses both
  export XLA_CLIENT_MEM_FRACTION="${XLA_CLIENT_MEM_FRACTION:-0.92}" # of each GPU's memory
fi
export TF_CPP_MIN_LOG_LEVEL="${TF_CPP_MIN_LOG_LEVEL:-1}"
