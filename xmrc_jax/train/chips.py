"""What a device can do, from the vendors' data sheets: one table for MFU and for plans."""

from dataclasses import dataclass

GIB = 2**30


@dataclass(frozen=True)
class Chip:
    """One device."""

    kind: str  # part of the lower-case name that JAX gives it
    peak_flops: float  # dense bfloat16 FLOP/s (V100: float16)
    memory: int  # bytes
    bandwidth: float  # of the memory, bytes/s
    link: float  # bytes/s it can send to its neighbours, over all its links together
    network: float | None = None  # bytes/s it can send to another host; None: the links span hosts
    axes: int = 0  # of a TPU's topology


# GPU: NVIDIA's data sheets of the SXM boards; NVLink's figure is both directions together, halved
# here. Between hosts one 400 Gbit/s adapter for each GPU (200 for A100, 100 for V100), as in
# NVIDIA's DGX machines. TPU: Google Cloud's "TPU architecture" pages; interconnect in Gbit/s / 8.
# The first kind that a device's name contains is its chip, so 'tpu v5 lite' stands before 'tpu v5'.
CHIPS = {
    'h200': Chip('h200', 989e12, 141 * GIB, 4.8e12, 450e9, 50e9),
    'h100': Chip('h100', 989e12, 80 * GIB, 3.35e12, 450e9, 50e9),
    'a100': Chip('a100', 312e12, 80 * GIB, 2.039e12, 300e9, 25e9),
    'v100': Chip('v100', 125e12, 32 * GIB, 0.9e12, 150e9, 12.5e9),
    'v6e': Chip('tpu v6', 918e12, 32 * GIB, 1.64e12, 400e9, axes=2),
    'v5e': Chip('tpu v5 lite', 197e12, 16 * GIB, 0.819e12, 200e9, axes=2),
    'v5p': Chip('tpu v5', 459e12, 95 * GIB, 2.765e12, 600e9, axes=3),
    'v4': Chip('tpu v4', 275e12, 32 * GIB, 1.228e12, 300e9, axes=3),
}


def chip_of(device_kind: str) -> Chip | None:
    """The chip that JAX calls so; None where the table has none (CPUs).

    >>> chip_of('TPU v5 lite').peak_flops, chip_of('NVIDIA H100 80GB HBM3').peak_flops
    (197000000000000.0, 989000000000000.0)
    """
    kind = device_kind.lower()
    return next((chip for chip in CHIPS.values() if chip.kind in kind), None)
