"""What a machine has and who uses it: device files, environments and devices are stand-ins."""

import socket
from types import SimpleNamespace

import jax
import pytest

from xmrc_jax.ground.errors import UserError
from xmrc_jax.processes import accelerators, joining
from xmrc_jax.processes.accelerators import Machine, gpus, here, share, tpus, unused

SLURM = {'SLURM_STEP_TASKS_PER_NODE': '2(x2),1', 'SLURM_NODEID': '0', 'SLURM_LOCALID': '0'}


@pytest.fixture
def dev(tmp_path):
    """A folder of device files, as the driver of a machine with four GPUs leaves it."""
    for name in ('nvidia0', 'nvidia1', 'nvidia2', 'nvidia3', 'nvidiactl', 'nvidia-uvm', 'null'):
        (tmp_path / name).touch()
    return tmp_path


@pytest.fixture
def computes(monkeypatch):
    """JAX computes on devices of a platform with these ids, and was asked for that or not."""

    def on(platform, *ids, asked=None):
        devices = [SimpleNamespace(platform=platform, local_hardware_id=each) for each in ids]
        monkeypatch.setattr(jax, 'local_devices', lambda: devices)
        jax.config.update('jax_platforms', asked)

    before = jax.config.jax_platforms
    yield on
    jax.config.update('jax_platforms', before)


# -- what there is ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('visible', 'names'),
    [
        (None, ['0', '1', '2', '3']),
        ('2,3', ['2', '3']),
        ('GPU-8a1,MIG-77', ['GPU-8a1', 'MIG-77']),
        ('1,-1,2', ['1']),
        ('NoDevFiles', []),
        ('', []),
    ],
)
def test_gpus_are_those_that_cuda_shows(visible, names, dev):
    assert gpus(dev, {} if visible is None else {'CUDA_VISIBLE_DEVICES': visible}) == names


def test_without_a_driver_there_is_no_gpu_whatever_the_environment_says(tmp_path):
    assert gpus(tmp_path, {'CUDA_VISIBLE_DEVICES': '0,1'}) == []


def test_tpus_are_known_by_either_of_their_device_files(tmp_path):
    assert tpus(tmp_path) == []
    (tmp_path / 'vfio').mkdir()
    for name in ('vfio/vfio', 'vfio/0', 'vfio/1', 'nvidia0'):
        (tmp_path / name).touch()
    assert tpus(tmp_path) == ['0', '1']
    (tmp_path / 'accel0').touch()
    assert 'accel0' in tpus(tmp_path)


# -- whose they are --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('count', 'changes', 'expected'),
    [
        (4, {'SLURM_STEP_TASKS_PER_NODE': '1(x2)', 'SLURM_NODEID': '1'}, [0, 1, 2, 3]),
        (4, {}, [0, 1]),
        (4, {'SLURM_LOCALID': '1', 'SLURM_NODEID': '1'}, [2, 3]),
        (4, {'SLURM_NODEID': '2'}, [0, 1, 2, 3]),  # the third machine has one task
        (5, {'SLURM_LOCALID': '1'}, [2, 3]),  # the fifth is nobody's
        (2, {'SLURM_LOCALID': '1'}, [1]),
        (1, {'SLURM_LOCALID': '1'}, None),
        (0, {}, None),
        (2, {'SLURM_LOCALID': '1', 'SLURM_GPUS_PER_TASK': '2'}, [0, 1]),
    ],
)
def test_the_tasks_of_a_machine_share_its_gpus_evenly(count, changes, expected):
    assert share(count, SLURM | changes) == expected


def test_mpirun_shares_them_alike_also_within_slurm():
    local = {'OMPI_COMM_WORLD_LOCAL_SIZE': '4', 'OMPI_COMM_WORLD_LOCAL_RANK': '3'}
    assert share(8, local) == share(8, SLURM | local) == [6, 7]


def test_who_is_started_by_hand_takes_what_jax_gives():
    assert share(4, {}) is None
    assert share(4, {'SLURM_LOCALID': '0', 'SLURM_JOB_ID': '1'}) is None


@pytest.mark.parametrize(
    ('visible', 'given', 'environment', 'taken'),
    [
        (4, None, {}, [0, 1, 2, 3]),
        (2, None, {}, [0, 1]),
        (4, [1, 3], {}, [1, 3]),
        (4, None, {'JAX_LOCAL_DEVICE_IDS': '2'}, None),
    ],
)
def test_a_task_alone_on_its_machine_joins_with_all_of_its_gpus(
    visible, given, environment, taken, monkeypatch
):
    joins = []

    def initialize(*arguments, **_):
        joins.append(arguments)

    for name, value in (SLURM | {'SLURM_NODEID': '2', 'SLURM_NTASKS': '5'} | environment).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv('SLURM_STEP_NODELIST', 'a,b,c')
    monkeypatch.setattr(accelerators, 'gpus', lambda: list(map(str, range(visible))))
    monkeypatch.setattr(jax.distributed, 'initialize', initialize)
    monkeypatch.setattr(joining.last_word, 'call', lambda: None)
    monkeypatch.setattr(joining.last_word, 'leave', lambda line: None)
    with joining.joined(local_devices=given):
        pass
    assert joins == [(None, None, None, taken)]


# -- what nobody uses ------------------------------------------------------------------------------


def test_on_the_cpu_of_a_machine_with_gpus_a_line_says_what_to_install(dev, computes, monkeypatch):
    computes('cpu', 0)
    monkeypatch.setattr(accelerators.importlib.util, 'find_spec', lambda name: None)
    (line,) = unused([here(dev, {})])
    assert line == (
        f'warning: {socket.gethostname()} has 4 GPUs, but JAX computes on the CPU: '
        'pip install "jax[cuda13]", or "jax[cuda12]" for an older driver'
    )
    (line,) = unused([here(dev, {'CUDA_VISIBLE_DEVICES': '2'})])
    assert ' has 1 GPU, but' in line


def test_where_the_extra_is_there_the_driver_is_named(dev, computes, monkeypatch):
    computes('cpu', 0)
    monkeypatch.setattr(
        accelerators.importlib.util, 'find_spec', lambda name: name == 'jax_cuda13_plugin' or None
    )
    (line,) = unused([here(dev, {})])
    assert 'the CPU: jax_cuda13_plugin is installed and finds none: nvidia-smi says' in line


def test_a_tpu_that_is_not_used_is_named_too(tmp_path, computes, monkeypatch):
    (tmp_path / 'accel0').touch()
    computes('cpu', 0)
    monkeypatch.setattr(accelerators.importlib.util, 'find_spec', lambda name: None)
    (line,) = unused([here(tmp_path, {})])
    assert line.endswith('has 1 TPU, but JAX computes on the CPU: pip install "jax[tpu]"')
    computes('tpu', 0)
    assert unused([here(tmp_path, {})]) == []


def test_who_asks_for_the_cpu_or_hides_the_gpus_sees_no_warning(dev, computes, tmp_path):
    computes('cpu', 0, asked='cpu')
    assert unused([here(dev, {})]) == []
    computes('cpu', 0)
    assert unused([here(dev, {'CUDA_VISIBLE_DEVICES': ''})]) == []
    assert unused([here(tmp_path / 'none', {})]) == []


@pytest.mark.parametrize(
    ('error', 'reason'),
    [
        (AssertionError(), ''),  # what JAX 0.10 raises without the plugin
        (RuntimeError('no driver\nat all'), r' \(no driver\)'),
    ],
)
def test_a_device_that_was_asked_for_and_is_not_there_is_the_user_s_to_mend(
    error, reason, computes, monkeypatch
):
    computes('gpu', asked='cuda')

    def fails():
        raise error

    monkeypatch.setattr(jax, 'local_devices', fails)
    monkeypatch.setattr(accelerators.importlib.util, 'find_spec', lambda name: None)
    message = rf'^JAX_PLATFORMS=cuda: there is no such device{reason}: pip install "jax\[cuda13\]"'
    with pytest.raises(UserError, match=message), joining.joined():
        raise AssertionError('went on')
    monkeypatch.setattr(jax.distributed, 'is_initialized', lambda: True)
    with pytest.raises(RuntimeError if str(error) else UserError):  # perhaps another's fault
        accelerators.check()


@pytest.mark.parametrize(
    ('ids', 'environment', 'used'),
    [
        ((0, 1, 2, 3), {}, ['0', '1', '2', '3']),
        ((0,), {}, ['0']),
        ((0, 1), {'CUDA_VISIBLE_DEVICES': '2,3'}, ['2', '3']),
        ((1,), {'CUDA_VISIBLE_DEVICES': '2,3'}, ['3']),
    ],
)
def test_gpus_in_use_are_called_as_the_environment_calls_them(
    ids, environment, used, dev, computes
):
    computes('gpu', *ids)
    assert here(dev, environment).used == used


def test_what_no_process_of_a_machine_uses_is_named_once():
    names = ['0', '1', '2', '3', '4']
    views = [
        Machine('a', 'GPU', names, ['0', '1'], ''),
        Machine('b', 'GPU', names[:4], names[:4], ''),
        Machine('a', 'GPU', names, ['2', '3'], ''),
    ]
    (line,) = unused(views)
    assert line.startswith('warning: a: GPU 4 of 5 seen and not used: ')
    assert unused(views[1:2]) == []


def test_a_process_alone_has_the_only_view():
    (view,) = accelerators.machines()
    assert view.host == socket.gethostname()
