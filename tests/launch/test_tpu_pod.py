"""A TPU slice with a stand-in for gcloud: what is asked of it, in which order, and what ends it."""

import re
import signal
import subprocess

import pytest

from tests.launch.stand_ins import LAUNCH

# The cloud in three files: the state of the request, of the node, and how the next runs end. A run
# that is preempted loses its connection, and its request and node change their states.
GCLOUD = r"""
echo "$*" | tr '\n' ' ' >> calls; echo >> calls
for argument; do  # what a worker is to run must at least be a script
    case $argument in --command=*) bash -n -c "${argument#--command=}" || exit 9 ;; esac
done
case "$*" in
*queued-resources\ describe*) cat request ;;
*tpu-vm\ describe*) cat node ;;
*queued-resources\ create*) echo ACTIVE > request; echo READY > node ;;
*queued-resources\ delete*) rm -f request node ;;
*exec\ .venv/bin/python*)
    read -r status < ends; sed -i 1d ends
    case $status in
    preempted) echo SUSPENDED > request; echo PREEMPTED > node; exit 255 ;;
    wait) echo ready; until [ -e stopped ]; do sleep 0.1; done; exit 75 ;;
    *) exit "$status" ;;
    esac ;;
*pkill\ -TERM*) touch stopped ;;
esac
"""
STEPS = {
    'queued-resources create': 'create',
    'queued-resources delete': 'delete',
    'tpu-vm scp': 'copy',
    'pip3 install': 'install',
    'exec .venv/bin/python': 'run',
    'pkill -TERM': 'stop',
}
ONCE = ['copy', 'install', 'run']


class Cloud:
    """The stand-in's folder, and a start of the script within it."""

    def __init__(self, folder, path):
        self.folder = folder
        self.environment = {'PATH': path, 'SHARE': '10.0.0.2:/runs', 'HOME': str(folder)}

    def start(self, *ends, request=None, node=None):
        for name, text in {'request': request, 'node': node, 'ends': '\n'.join(ends)}.items():
            if text:
                (self.folder / name).write_text(f'{text}\n')
        # The script goes to the repository, the stand-in's files lie beside the stand-in.
        return subprocess.Popen(
            [LAUNCH / 'tpu_pod.sh', '--workdir', '/shared/run', "--config.data.train=('a b',)"],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def calls(self, step=''):
        lines = (self.folder / 'calls').read_text().splitlines()
        return [line for line in lines if step in line]

    def steps(self):
        found = (name for line in self.calls() for text, name in STEPS.items() if text in line)
        return list(found)


@pytest.fixture
def cloud(tmp_path, stub):
    stub('gcloud', f'cd {tmp_path} || exit\n{GCLOUD}')
    return Cloud(tmp_path, stub('sleep', 'PATH=/usr/bin:/bin exec sleep 0.05'))


@pytest.mark.parametrize(
    ('ends', 'status', 'steps'),
    [
        (['0'], 0, ['create', *ONCE]),
        (['2'], 2, ['create', *ONCE]),
        # A crash and a save on a slice that is still there: the slice is kept.
        (['134', '75', '0'], 0, ['create', *ONCE, *ONCE, *ONCE]),
        (['preempted', '0'], 0, ['create', *ONCE, 'delete', 'create', *ONCE]),
        (['preempted', '2'], 2, ['create', *ONCE, 'delete', 'create', *ONCE]),
    ],
)
def test_the_sequence(ends, status, steps, cloud):
    assert cloud.start(*ends).wait() == status
    assert cloud.steps() == steps


def test_a_preemption_is_no_crash(cloud):
    cloud.environment['XMRC_RESTARTS'] = '0'
    assert cloud.start('preempted', 'preempted', '0').wait() == 0
    assert cloud.start('134').wait() == 134


@pytest.mark.parametrize('request_state', ['FAILED', 'SUSPENDED'])
def test_a_dead_request_is_replaced(request_state, cloud):
    assert cloud.start('0', request=request_state).wait() == 0
    assert cloud.steps() == ['delete', 'create', *ONCE]


def test_a_waiting_request_is_waited_for(cloud):
    cloud.environment['XMRC_RESTARTS'] = '0'
    script = cloud.start('0', request='WAITING_FOR_RESOURCES', node='CREATING')
    while not script.stderr.readline().startswith('tpu_pod.sh: request WAITING_FOR_RESOURCES'):
        pass
    (cloud.folder / 'node').write_text('READY\n')
    assert script.wait() == 0
    assert cloud.steps() == ONCE


def test_sigterm_reaches_the_workers_and_ends_the_loop(cloud):
    script = cloud.start('wait')
    assert script.stdout.readline() == 'ready\n'
    script.send_signal(signal.SIGTERM)
    assert script.wait() == 75
    assert cloud.steps() == ['create', *ONCE, 'stop']


def test_the_words_for_gcloud(cloud):
    cloud.environment.update(TPU_NAME='mine', TPU_TYPE='v6e-32', TPU_RUNTIME='v2-alpha-tpuv6e')
    assert cloud.start('0').wait() == 0
    (create,), (copy,) = cloud.calls(' create '), cloud.calls(' scp ')
    assert create.startswith('compute tpus queued-resources create mine --node-id=mine ')
    for option in ('--spot', '--accelerator-type=v6e-32', '--runtime-version=v2-alpha-tpuv6e'):
        assert option in create.split()
    assert re.search(r' scp \S+\.tgz mine:xmrc\.tgz --worker=all', copy)
    for call in cloud.calls(' ssh '):
        assert call.startswith('compute tpus tpu-vm ssh mine --worker=all --command=')
        assert call.split(' -- ')[1].split() == ['-o', 'ServerAliveInterval=15']
    (install,), (run,) = cloud.calls('pip3 install'), cloud.calls('exec .venv/bin/python')
    assert 'mount -t nfs 10.0.0.2:/runs /shared' in install
    # The worker's shell gives back the arguments as they were.
    command = re.search(r'exec (.*) -- ', run)[1]
    printed = subprocess.check_output(['bash', '-c', f'printf "%s\\n" {command}'], text=True)
    assert printed.splitlines()[1:] == [
        '-m',
        'xmrc_jax.main',
        '--workdir',
        '/shared/run',
        "--config.data.train=('a b',)",
    ]


def test_without_a_share_nothing_is_asked_for(cloud):
    del cloud.environment['SHARE']
    script = cloud.start()
    assert script.communicate()[1].count('SHARE: an NFS export') == 1
    assert script.returncode == 1
    assert not (cloud.folder / 'calls').exists()
