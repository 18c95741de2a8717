"""``launch/slurm.sh`` under a real SLURM of this machine alone, where that is installed."""

import os

import pytest

from benchmarks import slurm

pytestmark = pytest.mark.skipif(
    bool(slurm.missing()), reason=f'not installed: {", ".join(slurm.missing())}'
)

# A stand-in for python: the n-th start ends with the n-th status, task 1 later than task 0.
PYTHON = """
echo "task $SLURM_PROCID of $SLURM_NTASKS on $JAX_PLATFORMS: $*"
trap 'echo "task $SLURM_PROCID saves"; sleep 1; exit 75' TERM
statuses=(${!#}); status=${statuses[${SLURM_RESTART_COUNT:-0}]}
if [ "$status" = wait ]; then for _ in {1..600}; do sleep 0.1; done; fi
[ "$SLURM_PROCID" = 0 ] || sleep 1
exit "$status"
"""


@pytest.fixture(scope='module')
def cluster():
    with slurm.here() as started:
        yield started


@pytest.fixture
def submit(cluster, stub, tmp_path, monkeypatch):
    """Submits a job of the stand-in; the job's number and its log."""
    stub('python', PYTHON)

    def submitted(statuses, **environment):
        path = f'{tmp_path}/bin{os.pathsep}{cluster.environment["PATH"]}'
        for name, value in {'PATH': path, **environment}.items():
            monkeypatch.setitem(cluster.environment, name, value)
        log = tmp_path / 'log'
        return cluster.submit(log, '--config', 'a b', statuses), log

    return submitted


@pytest.mark.parametrize(
    ('statuses', 'state', 'code', 'restarts'),
    [
        ('0', 'COMPLETED', '0:0', 0),
        # The first task to end with 2 does not take the second one with it, which would say 75.
        ('2', 'FAILED', '2:0', 0),
        ('75 134 0', 'COMPLETED', '0:0', 2),
        ('134 75 69 0', 'FAILED', '69:0', 2),
    ],
)
def test_statuses(statuses, state, code, restarts, cluster, submit):
    number, log = submit(statuses, XMRC_RESTARTS='2')
    job = cluster.wait(number)
    assert (job['JobState'], job['ExitCode'], job['Restarts']) == (state, code, str(restarts))
    text = log.read_text()
    assert text.count('task 1 of 2 on cpu: -m xmrc_jax.main --config a b ') == restarts + 1
    assert ('given up after 2 restarts' in text) == (state == 'FAILED' and restarts == 2)
    assert 'saves' not in text


@pytest.mark.parametrize(
    ('command', 'state', 'restarts', 'last'),
    [
        (['scancel'], 'CANCELLED', 0, 'slurm.sh: exit status 75, ended by SLURM'),
        (['scontrol', 'requeue'], 'COMPLETED', 1, 'slurm.sh: exit status 75, ended by SLURM'),
        (['scancel', '--signal=TERM'], 'COMPLETED', 1, 'slurm.sh: exit status 75, restart 1 of'),
    ],
)
def test_signals(command, state, restarts, last, cluster, submit):
    number, log = submit('wait 0')
    cluster.wait(number, lambda _: log.exists() and log.read_text().count(' of 2 on ') == 2)
    cluster.ask(*command, number)
    job = cluster.wait(number)
    assert (job['JobState'], job['Restarts']) == (state, str(restarts))
    text = log.read_text()
    assert text.count(' saves') == 2
    assert last in text


def test_a_disturbed_run_ends_like_an_undisturbed_one(capsys):
    slurm.main()
    text = capsys.readouterr().out
    assert 'disturbed: COMPLETED after 3 restarts' in text
    assert text.count('the same bytes') == 3
