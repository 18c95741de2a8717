"""Reads the text of a compiled program: what it moves between devices and through memory.

XLA's own cost analysis counts the body of a loop once, and on GPU there is none. Here the body of
a loop (the scan over layers) counts as often as it runs.
"""

import math
import re
from collections.abc import Iterator
from typing import NamedTuple

COLLECTIVES = ('all-reduce', 'all-gather', 'reduce-scatter', 'all-to-all', 'collective-permute')

_COMPUTATION = re.compile(r'^(ENTRY )?%?([\w.-]+) \(.*\{$')
_INSTRUCTION = re.compile(r'^\s+(ROOT )?%?([\w.-]+) = (.*?) ([a-z][a-z\d-]*)\((.*)$')
_SHAPE = re.compile(r'([a-z]+\d*)\w*\[([\d,]*)\](\{[^}]*\})?')
_CALLED = re.compile(r'(?:body|to_apply|calls|\w+_computation)=%?([\w.-]+)')
_BRANCHES = re.compile(r'branch_computations=\{([^}]*)\}')
_TRIPS = re.compile(r'"known_trip_count":\{"n":"(\d+)"')
# Instructions that name or hold memory without touching it, or whose parts are counted instead.
_FREE = re.compile(
    'parameter|constant|iota|tuple|get-tuple-element|bitcast|after-all|partition-id|replica-id|'
    'while|call|conditional|opt-barrier|async-(start|update)|(copy|slice)-start|.*-done'
)
_FREE_CALLS = ('AllocateBuffer', 'ConcatBitcast')  # of TPUs


class Instruction(NamedTuple):
    """One line: ``%name = type opcode(operands), attributes``."""

    name: str
    type: str
    opcode: str
    inside: str  # between the brackets: a constant's value, a parameter's number
    operands: tuple[str, ...]
    attributes: str
    root: bool


class Collective(NamedTuple):
    """One collective of the program.

    Its size is bytes of the whole array on each device: what all-reduce sums, what all-gather
    results in, what reduce-scatter and all-to-all take, what collective-permute hands on.
    """

    kind: str  # one of ``COLLECTIVES``
    shape: str  # what it works on, such as ``bf16[768,3072]``, the largest of several
    size: int
    devices: int  # that take part together
    count: int  # times it runs in a step
    asynchronous: bool  # split into a start and a done, between which the device may compute

    @property
    def sent(self) -> float:
        """Bytes a device sends for one run, by the algorithms that send least (rings)."""
        if self.kind == 'collective-permute':
            return float(self.size)
        share = (self.devices - 1) / self.devices
        return self.size * share * (2 if self.kind == 'all-reduce' else 1)


class Program:
    """A compiled program for one of many devices, from the text of ``compiled.as_text()``."""

    def __init__(self, text: str):
        self._computations: dict[str, dict[str, Instruction]] = {}
        self._entry = ''
        header = re.search(r'num_partitions=(\d+)', text[: text.find('\n')])
        self._partitions = int(header[1]) if header else 1
        for line in text.splitlines():
            if head := _COMPUTATION.match(line):
                current = self._computations.setdefault(head[2], {})
                self._entry = head[2] if head[1] else self._entry
            elif found := _INSTRUCTION.match(line):
                root, *named, rest = found.groups()
                inside, attributes = _closed(rest)
                operands = tuple(re.findall(r'%([\w.-]+)', inside))
                instruction = Instruction(*named, inside, operands, attributes, bool(root))
                current[instruction.name] = instruction

    def collectives(self) -> list[Collective]:
        """All collectives with the number of times each runs."""
        return [
            self._collective(computation, each, times)
            for times, computation, each in self._executed(self._entry)
            if each.opcode.removesuffix('-start') in COLLECTIVES
        ]

    def bytes(self) -> int:
        """Bytes that the program reads from and writes to the device's memory.

        Every instruction reads its operands and writes its result; a fusion is one instruction.
        Of an array that is only sliced, the slice counts, and what a TPU keeps in its vector
        memory (memory space 1) is free. Caches are not known of, so it is an estimate.
        """
        return sum(
            times * self._traffic(computation, each)
            for times, computation, each in self._executed(self._entry)
        )

    def _executed(self, name: str, times: int = 1) -> Iterator[tuple[int, dict, Instruction]]:
        """(times, computation, instruction) of all that runs by itself, not inside a fusion."""
        computation = self._computations[name]
        for each in computation.values():
            yield times, computation, each
            if each.opcode in ('while', 'call', 'conditional', 'async-start'):
                trips = self._trips(each) if each.opcode == 'while' else 1
                for called in _called(each):
                    yield from self._executed(called, times * trips)

    def _trips(self, loop: Instruction) -> int:
        """Times a loop's body runs: as the compiler notes it, else the bound its condition names.

        The loops of a step are scans, which count from 0 by 1 to a constant.
        """
        if known := _TRIPS.search(loop.attributes):
            return int(known[1])
        condition = self._computations[re.search(r'condition=%?([\w.-]+)', loop.attributes)[1]]
        bounds = [int(each.inside) for each in condition.values() if each.opcode == 'constant']
        if len(bounds) != 1:
            raise ValueError(f'loop {loop.name}: {len(bounds)} constants in its condition, not one')
        return bounds[0]

    def _collective(self, computation, each: Instruction, times: int) -> Collective:
        kind = each.opcode.removesuffix('-start')
        operands = [computation[name].type for name in each.operands]
        devices = _group(each.attributes) or self._partitions
        size = sum(map(_size, operands))
        return Collective(
            kind,
            '{}[{}]'.format(*_SHAPE.search(max(operands, key=_size)).group(1, 2)),
            size * devices if kind == 'all-gather' else size,
            devices,
            times,
            each.opcode.endswith('-start') and '"is_sync":true' not in each.attributes,
        )

    def _traffic(self, computation, each: Instruction) -> int:
        if each.opcode in ('copy-done', 'slice-done'):  # between vector memory and the memory
            return _size(each.type)
        called = any(f'"{name}"' in each.attributes for name in _FREE_CALLS)
        if called or _FREE.fullmatch(each.opcode):
            return 0
        if each.opcode.removesuffix('-start') in COLLECTIVES:
            return 2 * sum(_size(computation[name].type) for name in each.operands)
        operands = [computation[name] for name in each.operands]
        if each.opcode == 'fusion':
            return self._fused_traffic(each, operands)
        if each.opcode in ('dynamic-slice', 'gather', 'slice'):
            return 2 * _memory(each.type)
        if each.opcode in ('dynamic-update-slice', 'scatter'):
            return 2 * _memory(operands[1 if each.opcode.startswith('dynamic') else -1].type)
        return _memory(each.type) + sum(_memory(operand.type) for operand in operands)

    def _fused_traffic(self, fusion: Instruction, operands: list[Instruction]) -> int:
        inside = self._computations[_called(fusion)[0]]
        users: dict[str, list[Instruction]] = {}
        for each in inside.values():
            for name in each.operands:
                users.setdefault(name, []).append(each)
        parameters = {
            int(each.inside): each for each in inside.values() if each.opcode == 'parameter'
        }
        total = 0
        for number, operand in enumerate(operands):
            if _memory(operand.type):
                total += self._read(parameters[number], users)
        root = next(each for each in inside.values() if each.root)
        written = [inside[name] for name in root.operands] if root.opcode == 'tuple' else [root]
        types = _shapes(fusion.type)
        if len(types) != len(written):  # the root is itself an instruction of several results
            return total + _memory(fusion.type)
        for each, type_ in zip(written, types, strict=True):
            while each.opcode == 'bitcast':
                each = inside[each.operands[0]]
            if each.opcode == 'dynamic-update-slice' and _memory(type_):
                total += _size(inside[each.operands[1]].type)
            else:
                total += _memory(type_)
        return total

    def _read(self, value: Instruction, users: dict[str, list[Instruction]]) -> int:
        """Bytes of a fusion's parameter that are read: where it is only sliced, the slices."""
        total = 0
        for user in users.get(value.name, []):
            first = user.operands[:1] == (value.name,)
            if user.opcode == 'bitcast':
                total += self._read(user, users)
            elif user.opcode in ('dynamic-slice', 'slice', 'gather') and first:
                total += _size(user.type)
            elif not (user.opcode == 'dynamic-update-slice' and first):  # updated where it lies
                return _size(value.type)
        return min(total, _size(value.type))


def _closed(rest: str) -> tuple[str, str]:
    """What stands before the bracket that closes an open one, and after it."""
    depth = 1
    for at, char in enumerate(rest):
        depth += (char == '(') - (char == ')')
        if depth == 0:
            return rest[:at], rest[at + 1 :]
    return rest, ''


def _called(each: Instruction) -> list[str]:
    if branches := _BRANCHES.search(each.attributes):
        return re.findall(r'%?([\w.-]+)', branches[1])
    return _CALLED.findall(each.attributes)


def _shapes(type_: str) -> list[str]:
    return [match[0] for match in _SHAPE.finditer(type_)]


def _size(type_: str) -> int:
    """Bytes of an array or of all arrays of a tuple; tokens have none."""
    total = 0
    for match in _SHAPE.finditer(type_):
        bits = 8 if match[1] == 'pred' else int(re.sub(r'\D', '', match[1]) or 0)
        total += math.prod(int(size) for size in match[2].split(',') if size) * bits // 8
    return total


def _memory(type_: str) -> int:
    """Bytes of those arrays of a type that lie in the device's memory."""
    return sum(_size(shape) for shape in _shapes(type_) if 'S(1)' not in shape)


def _group(attributes: str) -> int:
    """Devices that take part in a collective together; 0: all."""
    if mesh := re.search(r'replica_groups=mesh\[([^\]]*)\] \{([^}]*)\}', attributes):
        sizes = dict(re.findall(r"'(\w+)'=(\d+)", mesh[1]))
        axes = re.findall(r"'(\w+)'(?::\(\d+\)(\d+))?", mesh[2])
        return math.prod(int(part or sizes[axis]) for axis, part in axes)
    if iota := re.search(r'replica_groups=\[\d+,(\d+)\]<=', attributes):
        return int(iota[1])
    if listed := re.search(r'replica_groups=\{\{([\d,]+)\}', attributes):
        return listed[1].count(',') + 1
    return 0
