# shellcheck shell=bash
# Sourced by what runs on GPUs; whatever is set outside wins.
export JAX_PLATFORMS="${JAX_PLATFORMS:-cuda}" # fail rather than train on the CPU
export XLA_PYTHON_CLIENT_MEM_FRACTION="${XLA_PYTHON_CLIENT_MEM_FRACTION:-0.92}" # of each GPU's memory
export TF_CPP_MIN_LOG_LEVEL="${TF_CPP_MIN_LOG_LEVEL:-1}"
