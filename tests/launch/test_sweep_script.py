"""``launch/sweep.sh`` against stand-ins: two arrays, one behind the other, then the table."""

import subprocess

import pytest

from tests.launch.stand_ins import LAUNCH

DRY_RUN = """
case "$*" in
*--dry_run*)
    echo 'task   0 shared {0}  runs/shared/1/seed-42'
    echo 'task   1 shared {0}  runs/shared/1/seed-43'
    echo 'task   2 run    {1}  runs/alpha=0.3/seed-42  on shared/1/seed-42'
    echo 'task  10 run    {2}  runs/alpha=0.5/seed-42  on shared/1/seed-42' ;;
*) echo "python $*" >> {3}/jobs ;;
esac
"""


@pytest.fixture
def jobs(stub, tmp_path):
    """Runs the file while the tasks are in the given states; what it called."""

    def run(*states):
        stub(
            'sbatch',
            f'echo "$XMRC_COMMAND $*" >> {tmp_path}/jobs; echo "7$(wc -l < {tmp_path}/jobs);c"',
        )
        path = stub('python', DRY_RUN.format(*states, tmp_path))
        command = [LAUNCH / 'sweep.sh', '--config', 'a b', '--seeds', '2']
        environment = {'PATH': path, 'SBATCH_OPTIONS': '--nodes=2 --time=1'}
        subprocess.run(command, env=environment, check=True, cwd=LAUNCH.parent)
        return (tmp_path / 'jobs').read_text().splitlines()

    return run


def test_shared_parts_come_before_runs(jobs):
    assert jobs('to do', 'to do', 'to do') == [
        'xmrc_jax.sweep --parsable --nodes=2 --time=1 --array=0,1 launch/slurm.sh '
        '--config a b --seeds 2',
        'xmrc_jax.sweep --parsable --nodes=2 --time=1 --dependency=afterok:71 --array=2,10 '
        'launch/slurm.sh --config a b --seeds 2',
    ]


def test_what_is_done_is_not_submitted(jobs):
    assert jobs('done ', 'done ', 'to do') == [
        'xmrc_jax.sweep --parsable --nodes=2 --time=1 --array=10 launch/slurm.sh '
        '--config a b --seeds 2'
    ]


def test_when_all_is_done_the_table_is_written(jobs):
    assert jobs('done ', 'done ', 'done ') == ['python -m xmrc_jax.sweep --config a b --seeds 2']


@pytest.mark.parametrize(
    ('environment', 'command'),
    [
        ({}, '-m xmrc_jax.main --config a b'),
        (
            {'XMRC_COMMAND': 'xmrc_jax.sweep', 'SLURM_ARRAY_TASK_ID': '3'},
            '-m xmrc_jax.sweep --config a b --task=3',
        ),
    ],
)
def test_a_job_of_an_array_runs_its_task(environment, command, stub, tmp_path):
    path = stub('srun', f'shift 2; echo "$*" >> {tmp_path}/jobs')
    subprocess.run(
        [LAUNCH / 'slurm.sh', '--config', 'a b'],
        env={'PATH': path, **environment},
        check=True,
        cwd=LAUNCH.parent,
    )
    assert (tmp_path / 'jobs').read_text().splitlines() == [f'python {command}']
