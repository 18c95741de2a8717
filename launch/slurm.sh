#!/usr/bin/env bash
# GPU machines under SLURM, one task per GPU. From the repository's root:
#
#   sbatch --nodes=4 launch/slurm.sh --config configs/mlqa.py --workdir /shared/runs/mlqa
#
# Machines with another number of GPUs: add --ntasks-per-node=N --gpus-per-node=N; one task per
# machine, which takes all its GPUs: --ntasks-per-node=1. Not --gpus-per-task: it hides the other
# GPUs from a task, and JAX counts all of the machine's.
#SBATCH --job-name=xmrc
#SBATCH --ntasks-per-node=8
#SBATCH --gpus-per-node=8
#SBATCH --requeue              # may be preempted, and continues
#SBATCH --open-mode=append     # in the same log
#SBATCH --signal=TERM@120      # two minutes before the time limit: save and exit with 75
set -euo pipefail
# shellcheck source=launch/gpu_env.sh
. launch/gpu_env.sh

# SLURM sends SIGTERM to this shell as well when it ends the job itself: cancelled, or preempted
# and queued again already. Then there is nothing left to decide here once the tasks have saved.
ending=
trap 'ending=1' TERM

# A failed task gives the others a minute to end by themselves: killed at once (--kill-on-bad-exit)
# they would hide its exit status, for srun returns the highest.
status=0
command=${XMRC_COMMAND:-xmrc_jax.main} # sweep.sh has another, with the number of the array's task
srun --kill-on-bad-exit=0 --wait=60 python -m "$command" "$@" \
    ${SLURM_ARRAY_TASK_ID:+--task="$SLURM_ARRAY_TASK_ID"} || status=$?

restarts=${SLURM_RESTART_COUNT:-0} limit=${XMRC_RESTARTS:-20}
case $status in
0 | 2) ;; # done, or a mistake to mend first
*)
    if [ -n "$ending" ]; then
        echo "slurm.sh: exit status $status, ended by SLURM"
    elif [ "$restarts" -ge "$limit" ]; then
        echo "slurm.sh: exit status $status, given up after $restarts restarts"
    else
        echo "slurm.sh: exit status $status, restart $((restarts + 1)) of at most $limit"
        scontrol requeue "$SLURM_JOB_ID"
    fi
    ;;
esac
exit "$status"
