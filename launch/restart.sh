#!/usr/bin/env bash
# Runs a command until it is done, again after a preemption or a crash:
#
#   launch/restart.sh python -m xmrc_jax.main --config configs/mlqa.py --workdir runs/mlqa
#
# 0 is done and 2 is a mistake to mend first: both end it. 75 (saved and stopped by SIGTERM) starts
# the command again at once; any other status is a crash and starts it again after a pause, longer
# each time, XMRC_RESTARTS (20) times at most. SIGTERM or Ctrl-C to this script goes on to the
# command as SIGTERM, and ends both once the command has saved.
set -uo pipefail

ending='' child=''
trap 'ending=1; [ -z "$child" ] || kill -TERM "$child" 2>/dev/null' TERM INT

# Runs in the background, for a trap would wait for a command in the foreground. A signal ends
# `wait` early; asked again once the child is gone, it tells the child's own status.
run() {
    "$@" &
    child=$!
    [ -z "$ending" ] || kill -TERM "$child"
    while wait "$child"; kill -0 "$child" 2>/dev/null; do :; done
    wait "$child"
}

crashes=0 limit=${XMRC_RESTARTS:-20} pause=5
while true; do
    run "$@"
    status=$?
    if [ -n "$ending" ] || [ "$status" -eq 0 ] || [ "$status" -eq 2 ]; then
        exit "$status"
    elif [ "$status" -eq 75 ]; then
        echo "restart.sh: exit status 75, started again" >&2
    elif [ "$crashes" -ge "$limit" ]; then
        echo "restart.sh: exit status $status, given up after $limit restarts" >&2
        exit "$status"
    else
        crashes=$((crashes + 1))
        echo "restart.sh: exit status $status, restart $crashes of at most $limit in $pause s" >&2
        run sleep "$pause" || exit "$status"
        pause=$((pause < 150 ? pause * 2 : 300))
    fi
done
