"""A SLURM job that is killed, preempted and stopped, beside an undisturbed one: the same results?

    python -m benchmarks.slurm

makes a cluster of this machine alone (Debian's slurm-wlm and munge must be installed, nothing
configured), submits ``launch/slurm.sh`` with two tasks on the CPU, and prints what was done to the
job, what its log says and whether its results are those of the undisturbed job. About ten minutes
on two cores.
"""

import getpass
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
DAEMONS = ('munged', 'slurmctld', 'slurmd')

# No control groups, no accounting; a requeued job starts again after seconds, not two minutes.
SLURM_CONF = """
ClusterName=here
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SchedulerParameters=sched_interval=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs=2
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> list[str]:
    """Those of SLURM's daemons that are not installed."""
    return [name for name in DAEMONS if not _found(name)]


def _found(name: str) -> str | None:
    return shutil.which(name, path=f'{os.environ["PATH"]}:/usr/sbin')


class Cluster:
    """SLURM on this machine: two CPUs, one queue."""

    def __init__(self, folder: Path):
        beside_python = Path(sys.executable).parent
        self.environment = os.environ | {
            'SLURM_CONF': f'{folder}/slurm.conf',
            'PATH': f'{beside_python}:{os.environ["PATH"]}',
            'JAX_PLATFORMS': 'cpu',
        }

    def ask(self, *command: str) -> str:
        """What one of SLURM's commands prints."""
        return subprocess.check_output(command, env=self.environment, cwd=ROOT, text=True)

    def submit(self, log: Path, *arguments: str) -> str:
        """Submit ``launch/slurm.sh`` as two tasks without GPUs; the number of the job."""
        options = ('--parsable', '--ntasks-per-node=2', '--gpus-per-node=0', f'--output={log}')
        return self.ask('sbatch', *options, 'launch/slurm.sh', *arguments).strip()

    def job(self, number: str) -> dict[str, str]:
        """SLURM's fields of a job: JobState, Restarts, ExitCode and so on."""
        return dict(re.findall(r'(\w+)=(\S*)', self.ask('scontrol', 'show', 'job', number)))

    def wait(self, number: str, until: Callable[[dict[str, str]], bool] = lambda _: False):
        """The fields of a job once it is as told, or has ended for good."""
        while (job := self.job(number))['JobState'] in ('PENDING', 'RUNNING', 'COMPLETING'):
            if until(job):
                break
            time.sleep(0.2)
        return job

    def task(self, number: str, task: int) -> int:
        """Process id of one of a job's tasks."""
        for line in self.ask('scontrol', 'listpids', number).splitlines()[1:]:
            pid, _, step, _, index = line.split()
            if step == '0' and index == str(task):
                return int(pid)
        raise ProcessLookupError(f'job {number} has no task {task}')


@contextmanager
def here() -> Iterator[Cluster]:
    """A cluster of this machine; its daemons end with the block."""
    with ExitStack() as end:
        folder = Path(end.enter_context(tempfile.TemporaryDirectory(prefix='slurm-')))
        cluster = Cluster(folder)
        sockets = [end.enter_context(socket.socket()) for _ in range(2)]
        for each in sockets:
            each.bind(('127.0.0.1', 0))
        configuration = SLURM_CONF.format(
            host=socket.gethostname().split('.')[0],
            ports=[each.getsockname()[1] for each in sockets],
            user=getpass.getuser(),
            folder=folder,
        )
        for each in sockets:
            each.close()
        (folder / 'slurm.conf').write_text(configuration)
        (folder / 'state').mkdir()
        key = folder / 'munge.key'
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o600)
        own = {'key-file': key.name, 'socket': 'munge.socket', 'pid-file': 'munged.pid'}
        own |= {'log-file': 'munged.log', 'seed-file': 'munge.seed'}
        options = [f'--{name}={folder}/{file}' for name, file in own.items()]
        end.enter_context(_daemon(cluster, 'munged', '--foreground', '--force', *options))
        while not (folder / 'munge.socket').exists():
            time.sleep(0.1)
        end.enter_context(_daemon(cluster, 'slurmctld', '-D'))
        end.enter_context(_daemon(cluster, 'slurmd', '-D'))
        while 'idle' not in cluster.ask('sinfo', '--noheader', '--format=%T'):
            time.sleep(0.5)
        end.callback(_empty, cluster)
        yield cluster


@contextmanager
def _daemon(cluster: Cluster, name: str, *options: str) -> Iterator[None]:
    path = Path(cluster.environment['SLURM_CONF']).with_name(f'{name}.out')
    with path.open('w') as out:
        command = [_found(name), *options]
        process = subprocess.Popen(command, env=cluster.environment, stdout=out, stderr=out)
    try:
        time.sleep(0.5)
        if process.poll() is not None:
            raise RuntimeError(f'{name} has ended: {path.read_text()}')
        yield
    finally:
        process.terminate()
        process.wait()


def _empty(cluster: Cluster) -> None:
    """No job outlives the cluster."""
    cluster.ask('scancel', f'--user={getpass.getuser()}')
    while cluster.ask('squeue', '--noheader'):
        time.sleep(0.5)


# -- the experiment ------------------------------------------------------------------------------

QUICKSTART = (
    '--config=configs/quickstart.py',
    "--config.data.train=('encyclopedia/train/en','encyclopedia/train/hi')",
    "--config.data.tests=('encyclopedia/test/en','encyclopedia/test/hi')",
    '--config.data.encyclopedia.train_passages=60',
    '--config.data.encyclopedia.dev_passages=4',
    '--config.data.encyclopedia.test_passages=4',
    '--config.train.checkpoint_every=10',
    '--config.train.log_every=1',
    '--config.mine.candidates=5',
    '--config.two_stage.spans=10',
)
SAYS = ('slurm.sh:', 'xmrc_jax:', 'srun: error:', 'slurmstepd')


def steps_done(workdir: Path, stage: str) -> int:
    """Training steps that the stage's log knows of."""
    path = workdir / stage / 'metrics.jsonl'
    lines = path.read_text().splitlines() if path.exists() else []
    return sum('"loss"' in line for line in lines)


def disturbed(
    cluster: Cluster, log: Path, workdir: Path, arguments: Sequence[str]
) -> dict[str, str]:
    """A job whose task 1 is killed, that is then requeued, and last told that its time is up."""
    number = cluster.submit(log, *arguments, f'--workdir={workdir}')

    def kill():
        os.kill(cluster.task(number, 1), signal.SIGKILL)

    def requeue():
        cluster.ask('scontrol', 'requeue', number)

    def time_is_up():
        cluster.ask('scancel', '--signal=TERM', number)

    deeds = (
        ('SIGKILL to task 1', kill, 'base', 13),
        ('scontrol requeue (what a preemption does)', requeue, 'base', 23),
        ('SIGTERM to the tasks (what --signal=TERM@120 does)', time_is_up, 'two_stage', 13),
    )
    for restarts, (what, deed, stage, step) in enumerate(deeds):
        cluster.wait(
            number,
            lambda job, stage=stage, step=step: (
                job['JobState'] == 'RUNNING' and steps_done(workdir, stage) >= step
            ),
        )
        deed()
        print(f'{what} in step {steps_done(workdir, stage)} of {stage}', flush=True)
        cluster.wait(number, lambda job, restarts=restarts: int(job['Restarts']) > restarts)
    return cluster.wait(number)


def main() -> None:
    if absent := missing():
        sys.exit(f'not installed: {", ".join(absent)} (apt-get install slurm-wlm munge)')
    with tempfile.TemporaryDirectory() as temporary, here() as cluster:
        one, other = (Path(temporary, name) for name in ('undisturbed', 'disturbed'))
        number = cluster.submit(one.with_suffix('.log'), *QUICKSTART, f'--workdir={one}')
        print('undisturbed:', cluster.wait(number)['JobState'], flush=True)
        log = other.with_suffix('.log')
        job = disturbed(cluster, log, other, QUICKSTART)
        print(f'disturbed: {job["JobState"]} after {job["Restarts"]} restarts; its log:')
        lines = re.split(r'[\r\n]+', log.read_text())
        print(*(f'    {line}' for line in lines if line.startswith(SAYS)), sep='\n')
        for name in ('results.json', 'base/selected.json', 'two_stage/selected.json'):
            same = (one / name).read_bytes() == (other / name).read_bytes()
            print(f'{name}: {"the same bytes" if same else "DIFFERENT"}')
        for run in (one, other):
            scores = json.loads((run / 'results.json').read_text())
            print(run.name, *(f'{each["system"]} {each["f1"]:.2f}' for each in scores))


if __name__ == '__main__':
    main()
