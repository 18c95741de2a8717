"""The compiled program's text: collectives and bytes."""

import jax
import numpy as np
import pytest

from xmrc_jax.plan.hlo import Program

HLO = """HloModule step, num_partitions=8

%body (carry: (s32[], f32[4,8])) -> (s32[], f32[4,8]) {
  %carry = (s32[]{:T(128)}, f32[4,8]{1,0:T(8,128)S(1)}) parameter(0)
  %i = s32[] get-tuple-element(%carry), index=0
  %x = f32[4,8]{1,0} get-tuple-element(%carry), index=1
  %sum = f32[4,8]{1,0} all-reduce(%x), replica_groups=mesh['axis_0'=2,'axis_1'=4] {'axis_1'}, to_apply=%add
  ROOT %next = (s32[], f32[4,8]) tuple(%i, %sum)
}

%condition (carry.1: (s32[], f32[4,8])) -> pred[] {
  %twelve = s32[]{:T(128)} constant(12)
  %carry.1 = (s32[], f32[4,8]) parameter(0)
  %i.1 = s32[] get-tuple-element(%carry.1), index=0
  ROOT %less = pred[] compare(%i.1, %twelve), direction=LT
}

%slice_of_layers (layers: f32[12,4,8], at: s32[]) -> f32[1,4,8] {
  %layers = f32[12,4,8]{2,1,0} parameter(0)
  %at = s32[] parameter(1)
  %zero = s32[] constant(0)
  ROOT %layer = f32[1,4,8]{2,1,0} dynamic-slice(%layers, %at, %zero, %zero), dynamic_slice_sizes={1,4,8}
}

ENTRY %main (a: f32[4,8], b: bf16[2,16], w: f32[12,4,8]) -> f32[4,8] {
  %a = f32[4,8]{1,0} parameter(0)
  %b = bf16[2,16]{1,0} parameter(1)
  %w = f32[12,4,8]{2,1,0} parameter(2)
  %start = s32[] constant(0)
  %init = (s32[], f32[4,8]) tuple(%start, %a)
  %loop = (s32[], f32[4,8]) while(%init), condition=%condition, body=%body
  %known = (s32[], f32[4,8]) while(%loop), condition=%condition, body=%body, backend_config={"known_trip_count":{"n":"5"}}
  %gather-start = (bf16[2,16]{1,0}, bf16[16,16]{1,0}) all-gather-start(%b), replica_groups={{0,1,2,3,4,5,6,7}}, dimensions={0}
  %gather-done = bf16[16,16]{1,0} all-gather-done(%gather-start)
  %scatter = f32[1,8]{1,0} reduce-scatter(%a), replica_groups=[2,4]<=[8], dimensions={0}, to_apply=%add
  %moved = bf16[2,16]{1,0} collective-permute(%b), source_target_pairs={{0,1},{1,0}}
  %layer.1 = f32[1,4,8]{2,1,0} fusion(%w, %start), kind=kLoop, calls=%slice_of_layers
  ROOT %out = f32[4,8] get-tuple-element(%known), index=1
}
"""  # noqa: E501


def test_collectives_are_read_with_their_bytes_and_loops():
    found = [tuple(each) for each in Program(HLO).collectives()]
    assert found == [
        # 4 * 8 float32 in a loop of 12 by its condition, then in one of 5 by the compiler's note.
        ('all-reduce', 'f32[4,8]', 128, 4, 12, False),
        ('all-reduce', 'f32[4,8]', 128, 4, 5, False),
        # 2 * 16 bfloat16 from each of 8; start and done are one.
        ('all-gather', 'bf16[2,16]', 512, 8, 1, True),
        ('reduce-scatter', 'f32[4,8]', 128, 4, 1, False),
        ('collective-permute', 'bf16[2,16]', 64, 8, 1, False),
    ]
    sent = [each.sent for each in Program(HLO).collectives()]
    assert sent == [192.0, 192.0, 448.0, 96.0, 64.0]  # 2 * 3/4, 2 * 3/4, 7/8, 3/4, all


def test_bytes_count_loops_and_slices():
    # A collective reads and writes its operand. In the loops 17 times 2 * 128; outside 2 * 64 for
    # the all-gather, 2 * 128, 2 * 64; the fusion reads a layer of 128 bytes and the index of 4,
    # and writes the layer. Comparing reads two numbers of 4 bytes, which are constants of the
    # condition: no memory counted, for conditions are not walked.
    assert Program(HLO).bytes() == 17 * 256 + 128 + 256 + 128 + 260


def test_bytes_agree_with_xla_where_there_is_no_loop():
    def f(x, y):
        return jax.numpy.tanh(x @ y).sum(axis=0)

    x, y = np.ones((64, 256), np.float32), np.ones((256, 128), np.float32)
    done = jax.jit(f).lower(x, y).compile()
    counted = done.cost_analysis()['bytes accessed']
    assert Program(done.as_text()).bytes() == pytest.approx(counted, rel=0.1)
