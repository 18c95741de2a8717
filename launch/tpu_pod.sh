#!/usr/bin/env bash
# A Spot TPU slice, asked for, installed and run on all its workers; asked for again when it was
# preempted. Runs on a machine with gcloud, its project and compute/zone set:
#
#   SHARE=10.0.0.2:/runs launch/tpu_pod.sh --config configs/mlqa.py --workdir /shared/runs/mlqa
#
# SHARE is an NFS export that the workers reach (Filestore), mounted at /shared: a preempted slice
# loses its own disks. JAX finds the other workers in the TPU metadata. The slice is left running.
set -euo pipefail
cd "$(dirname "$0")/.."
name=${TPU_NAME:-xmrc} share=${SHARE:?an NFS export, as 10.0.0.2:/runs}
type=${TPU_TYPE:-v5litepod-16} runtime=${TPU_RUNTIME:-v2-alpha-tpuv5-lite}
[ -n "${XMRC_ATTEMPT:-}" ] || XMRC_ATTEMPT=1 exec launch/restart.sh launch/tpu_pod.sh "$@"

state() { gcloud compute tpus "$1" describe "$name" --format="value($2)" 2>/dev/null || true; }
on_all() { # a silent connection is a lost worker
    gcloud compute tpus tpu-vm ssh "$name" --worker=all --command="$1" -- -o ServerAliveInterval=15
}

# 1. The slice: a request in the queue, and a node once the request is granted.
until request=$(state queued-resources state.state) node=$(state tpu-vm state) && [ "$node" = READY ]; do
    echo "tpu_pod.sh: request ${request:-none}, node ${node:-none}" >&2
    case $request/$node in
    /*) gcloud compute tpus queued-resources create "$name" --node-id="$name" --spot \
        --accelerator-type="$type" --runtime-version="$runtime" ;;
    FAILED/* | SUSPENDED/* | */PREEMPTED | */TERMINATED)
        gcloud compute tpus queued-resources delete "$name" --force --quiet ;;
    *) sleep 30 ;;
    esac
done

# 2. The code and what it needs; whatever an attempt that lost its connection left running ends.
prepare() {
    local code
    code=$(mktemp --suffix=.tgz) &&
        tar -czf "$code" xmrc_jax configs requirements.txt &&
        gcloud compute tpus tpu-vm scp "$code" "$name":xmrc.tgz --worker=all &&
        rm "$code" &&
        on_all "pkill -KILL -f '[x]mrc_jax.main'
            set -e
            if ! mountpoint -q /shared; then
                sudo apt-get -qq update
                sudo apt-get -qq install nfs-common
                sudo mkdir -p /shared
                sudo mount -t nfs $share /shared
            fi
            mkdir -p xmrc
            cd xmrc
            tar -xzf ../xmrc.tgz
            PIP_BREAK_SYSTEM_PACKAGES=1 pip3 install --quiet --user uv
            [ -d .venv ] || ~/.local/bin/uv venv --quiet --python 3.11
            ~/.local/bin/uv pip install --quiet -r requirements.txt 'jax[tpu]'"
}
prepare || exit 1 # never 2, which would end it

# 3. The run. SIGTERM goes to the workers, which save and exit with 75.
printf -v command '%q ' .venv/bin/python -m xmrc_jax.main "$@"
trap "on_all \"pkill -TERM -f '[x]mrc_jax.main'\"" TERM
on_all "cd xmrc && exec $command" &
wait "$!" || true # a signal ends the first wait early
status=0
wait "$!" || status=$?
case $status in
0 | 2 | 75) ;;
*) [ "$(state tpu-vm state)" = READY ] || status=75 ;; # not crashed, preempted
esac
exit "$status"
