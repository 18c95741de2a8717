"""The first change, in a fixed order, that lets training fit into the devices' memory."""

import dataclasses
import math
from collections.abc import Callable, Iterator

from xmrc_jax.ground.errors import UserError
from xmrc_jax.plan.compiled import Compiled, Job, TooLargeError, compile_for
from xmrc_jax.plan.topologies import Topology


def changes(job: Job, devices: int) -> Iterator[Job]:
    """Jobs that need less memory: remat, fsdp over the devices, both, then halves of the batch.

    fsdp takes as many of the devices as the width divides by.
    """
    remat = dataclasses.replace(job, encoder=dataclasses.replace(job.encoder, remat=True))
    fsdp = math.gcd(job.encoder.width, devices // job.model)
    both = dataclasses.replace(remat, data=-1, fsdp=fsdp)
    found = [job, remat, dataclasses.replace(job, data=-1, fsdp=fsdp), both]
    while (both.batch_size // 2) % (devices // job.model) == 0:
        both = dataclasses.replace(both, batch_size=both.batch_size // 2)
        found.append(both)
    return iter(list(dict.fromkeys(found))[1:])


def fits(compiled: Compiled, topology: Topology) -> bool:
    """Nothing is known of a simulated device's memory: there everything fits."""
    return topology.memory is None or compiled.memory <= topology.memory


def first_that_fits(
    job: Job, stages: tuple[str, ...], topology: Topology, report: Callable[[Job, str], None]
) -> tuple[Job, dict[str, Compiled]] | None:
    """The first of ``changes`` of which every stage, compiled, fits; None if none does.

    Args:
      job: what does not fit.
      stages: to be trained, the heaviest last; it is compiled first.
      topology: the devices.
      report: called with every job tried and what came of it.
    """
    for changed in changes(job, len(topology.devices)):
        parts: dict[str, Compiled] = {}
        try:
            for stage in reversed(stages):
                parts[stage] = compile_for(changed, stage, topology)
                if not fits(parts[stage], topology):
                    report(changed, f'needs {parts[stage].memory / 1e9:.2f} GB')
                    break
            else:
                report(changed, 'fits')
                return changed, {stage: parts[stage] for stage in stages}
        except TooLargeError as error:
            needed = f'{error.needed / 1e9:.2f} GB' if error.needed else 'more than there is'
            report(changed, f'the compiler needs {needed}')
        except UserError as error:
            report(changed, str(error))
    return None
