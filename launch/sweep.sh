#!/usr/bin/env bash
# A table or figure of the paper under SLURM: two arrays of jobs, the parts that runs share, then the
# runs. From the repository's root, with sbatch's own options in SBATCH_OPTIONS:
#
#   SBATCH_OPTIONS='--nodes=1' launch/sweep.sh --config configs/tables/alpha.py \
#       --workdir /shared/runs/alpha --seeds 3
#
# Every task is a job of slurm.sh: requeued when it is preempted or crashes. The same command again
# submits what is not done. When all is, it writes the table.
set -euo pipefail

tasks=$(python -m xmrc_jax.sweep "$@" --dry_run)

# Numbers of the tasks of a kind that are to do, with commas.
to_do() {
    awk -v kind="$1" '$1 == "task" && $3 == kind && $4 == "to" { print $2 }' <<<"$tasks" | paste -sd,
}

submit() {
    # shellcheck disable=SC2086  # several options
    XMRC_COMMAND=xmrc_jax.sweep sbatch --parsable ${SBATCH_OPTIONS:-} "${after[@]}" \
        --array="$1" launch/slurm.sh "${@:2}" | cut -d';' -f1
}

echo "$tasks"
after=()
shared=$(to_do shared) runs=$(to_do run)
if [ -n "$shared" ]; then
    job=$(submit "$shared" "$@")
    echo "sweep.sh: job $job, shared parts $shared"
    after=("--dependency=afterok:$job")
fi
if [ -n "$runs" ]; then
    job=$(submit "$runs" "$@")
    echo "sweep.sh: job $job, runs $runs; once it is done, this command writes the table"
else
    python -m xmrc_jax.sweep "$@"
fi
