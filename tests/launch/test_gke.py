"""The manifest of GKE: fields of the two APIs, names of resources, numbers that must agree."""

import math
import re

import pytest
import yaml

from tests.launch.stand_ins import LAUNCH

JOBSETS = {each['metadata']['labels']['xmrc']: each for each in yaml.safe_load_all(
    (LAUNCH / 'gke.yaml').read_text()
)}  # fmt: skip

# jobset.x-k8s.io/v1alpha2 as its resource definition has it, as far as it is used here; a required
# field is written with a star. Job templates are batch/v1 and have a schema of their own below.
FIELDS = {
    '': {'*apiVersion', '*kind', '*metadata', '*spec'},
    'spec': {'coordinator', '*failurePolicy', '*network', '*replicatedJobs'},
    'spec.coordinator': {'*replicatedJob', 'jobIndex', 'podIndex'},
    'spec.network': {'*enableDNSHostnames'},
    'spec.failurePolicy': {'*maxRestarts', '*rules'},
    'spec.failurePolicy.rules.0': {'*name', '*action', '*onJobFailureReasons'},
    'spec.replicatedJobs.0': {'*name', '*replicas', '*template'},
    'spec.replicatedJobs.0.template': {'*spec'},
}


def at(tree, path):
    """The value at a dotted path, list items by their number; None where there is none."""
    for name in path.split('.') if path else ():
        tree = tree[int(name)] if isinstance(tree, list) else (tree or {}).get(name)
    return tree


@pytest.fixture(params=['gpu', 'tpu'])
def jobset(request):
    return JOBSETS[request.param]


def job_spec(jobset):
    (job,) = jobset['spec']['replicatedJobs']
    return job['template']['spec']


def pod_spec(jobset):
    return job_spec(jobset)['template']['spec']


def container(jobset):
    (only,) = pod_spec(jobset)['containers']
    return only


def command(jobset):
    """The words of the line that starts the training."""
    (script,) = container(jobset)['args']
    return re.search(r'exec (.*)', script.replace('\\\n', ''))[1].split()


def flag(jobset, name):
    return next((w.split('=', 1)[1] for w in command(jobset) if w.startswith(f'--{name}=')), None)


def test_there_are_two():
    assert set(JOBSETS) == {'gpu', 'tpu'}


def test_the_fields_are_those_of_a_jobset(jobset):
    assert (jobset['apiVersion'], jobset['kind']) == ('jobset.x-k8s.io/v1alpha2', 'JobSet')
    for path, fields in FIELDS.items():
        found = at(jobset, path)
        if found is not None:
            required = {name[1:] for name in fields if name.startswith('*')}
            assert required <= set(found) <= {name.lstrip('*') for name in fields}, path
    # A hostname is a DNS label: <JobSet>-<job>-<job index>-<pod index>.
    (job,) = jobset['spec']['replicatedJobs']
    assert re.fullmatch(r'[a-z]([-a-z0-9]{0,50})', f'{jobset["metadata"]["name"]}-{job["name"]}')


def test_the_job_template_is_valid(jobset):
    validate = pytest.importorskip('kubernetes_validate')
    job = dict(apiVersion='batch/v1', kind='Job', metadata={'name': 'x'}, spec=job_spec(jobset))
    validate.validate(job, '1.31', strict=True)


def test_every_pod_is_a_process(jobset):
    (job,) = jobset['spec']['replicatedJobs']
    spec = job_spec(jobset)
    assert spec['completionMode'] == 'Indexed'
    assert spec['completions'] == spec['parallelism']
    assert command(jobset)[:3] == ['python', '-m', 'xmrc_jax.main']
    if num_processes := flag(jobset, 'num_processes'):
        assert int(num_processes) == job['replicas'] * spec['parallelism']


def test_gpu_processes_know_who_they_are():
    jobset = JOBSETS['gpu']
    assert flag(jobset, 'num_processes') == '4'
    assert flag(jobset, 'process_id') == '$JOB_COMPLETION_INDEX'  # set by an Indexed Job
    variable, port = flag(jobset, 'coordinator').split(':')
    assert 1024 < int(port) < 32768  # below the ports that Linux gives out itself
    (source,) = (each for each in container(jobset)['env'] if f'${each["name"]}' == variable)
    annotation = "metadata.annotations['jobset.sigs.k8s.io/coordinator']"
    assert at(source, 'valueFrom.fieldRef.fieldPath') == annotation
    # The controller writes it, for the pod that is process 0, where the spec asks for it.
    assert jobset['spec']['network']['enableDNSHostnames'] is True
    assert jobset['spec']['coordinator'] == {
        'replicatedJob': jobset['spec']['replicatedJobs'][0]['name'],
        'jobIndex': 0,
        'podIndex': 0,
    }


def test_accelerators_are_asked_for_by_their_names():
    gpu, tpu = (container(JOBSETS[kind])['resources']['limits'] for kind in ('gpu', 'tpu'))
    assert gpu == {'nvidia.com/gpu': 8}
    assert tpu == {'google.com/tpu': 4}
    selector = pod_spec(JOBSETS['tpu'])['nodeSelector']
    assert selector['cloud.google.com/gke-tpu-accelerator'] == 'tpu-v5-lite-podslice'
    chips = math.prod(map(int, selector['cloud.google.com/gke-tpu-topology'].split('x')))
    assert chips == tpu['google.com/tpu'] * job_spec(JOBSETS['tpu'])['parallelism']
    assert 'cloud.google.com/gke-accelerator' in pod_spec(JOBSETS['gpu'])['nodeSelector']


def test_preemption_restarts_and_a_mistake_does_not(jobset):
    spec = job_spec(jobset)
    actions = {}
    for rule in spec['podFailurePolicy']['rules']:
        codes = rule.get('onExitCodes')
        if codes:
            assert codes['containerName'] == container(jobset)['name']
            assert codes['operator'] == 'In'
        for name in codes['values'] if codes else [rule['onPodConditions'][0]['type']]:
            actions[name] = rule['action']
    assert actions == {2: 'FailJob', 75: 'Ignore', 'DisruptionTarget': 'Ignore'}
    # Any other status fails the Job at once, and with it the JobSet starts all pods again.
    assert spec['backoffLimit'] == 0
    assert jobset['spec']['failurePolicy']['maxRestarts'] > 0
    (rule,) = jobset['spec']['failurePolicy']['rules']
    assert (rule['action'], rule['onJobFailureReasons']) == ('FailJobSet', ['PodFailurePolicy'])
    assert pod_spec(jobset)['restartPolicy'] == 'Never'  # a pod failure policy requires it
    assert pod_spec(jobset)['terminationGracePeriodSeconds'] == 60


def test_the_working_folder_outlives_the_pods(jobset):
    volumes = {each['name']: each for each in pod_spec(jobset)['volumes']}
    mounts = {each['mountPath']: each['name'] for each in container(jobset)['volumeMounts']}
    assert set(mounts.values()) == set(volumes)
    assert 'persistentVolumeClaim' in volumes[mounts['/shared']]
    workdir = command(jobset)[command(jobset).index('--workdir') + 1]
    assert workdir.startswith('/shared/')
