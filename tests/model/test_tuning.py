"""What of a reader is trained: its parts, and their gradients, which are those of the whole."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.tiny import KINDS
from xmrc_jax.ground.errors import UserError
from xmrc_jax.model import reader
from xmrc_jax.model.architectures import PLAIN, EncoderConfig
from xmrc_jax.model.tuning import ALL, Tuning, joined, merged, whole

DEBERTA = EncoderConfig.of(KINDS['deberta-v2'], PLAIN)


@pytest.mark.parametrize(
    ('tuning', 'fixed'),
    [
        (ALL, set()),
        (Tuning(0, 0), {'embed', 'distances'}),
        (Tuning(2, 0), {'embed', 'distances', 'frozen'}),
        (Tuning(-1, 2), {'embed', 'distances', 'blocks'}),
        (Tuning(1, 2), {'embed', 'distances', 'blocks', 'frozen'}),
    ],
)
def test_parts_are_put_together_for_the_objective_and_for_a_checkpoint(tuning, fixed, key):
    params = {'reader': reader.init(DEBERTA, key), 'w': jnp.ones(3)} | tuning.adapters(DEBERTA, 1)
    trained, rest = tuning.parted(params)
    assert rest.keys() == fixed
    expected = reader.abstract(tuning.encoder(DEBERTA))
    found = joined(trained, rest)
    assert found.keys() == {'reader', 'w'}
    assert jax.tree.map(np.shape, found['reader']) == jax.tree.map(np.shape, expected)
    jax.tree.map(np.testing.assert_array_equal, whole(trained, rest), params)


def test_gradients_are_those_of_the_whole_reader(params, cfg, batch, key):
    """Dropout included. Of W + A B the gradients of A and B are G B' and A' G."""
    tuning = Tuning(freeze=1, lora_rank=2)
    adapters = tuning.adapters(cfg, 1)['adapters']
    adapters = jax.tree.map(lambda leaf: leaf + 0.1, adapters)
    trained, fixed = tuning.parted({'reader': params, 'adapters': adapters})

    def total(params, cfg):
        reading = reader.apply(params, cfg, *batch, key)
        return sum((x**3).sum() for x in reading)

    @jax.jit
    @jax.value_and_grad
    def of_parts(trained):
        return total(joined(trained, fixed)['reader'], tuning.encoder(cfg))

    value, found = of_parts(trained)
    expected, grads = jax.jit(jax.value_and_grad(partial(total, cfg=cfg)))(merged(params, adapters))
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    assert found['reader']['encoder'] == {}

    def close(ours, theirs):
        np.testing.assert_allclose(ours, theirs, atol=1e-4 * np.abs(theirs).max())

    jax.tree.map(close, found['reader']['span'], grads['span'])
    for name in ('up', 'down'):
        of_kernel = np.asarray(grads['encoder']['blocks'][name]['kernel'][1:])
        a, b = (np.asarray(adapters[name][each]) for each in ('lora_a', 'lora_b'))
        close(found['adapters'][name]['lora_a'], of_kernel @ b.swapaxes(1, 2))
        close(found['adapters'][name]['lora_b'], a.swapaxes(1, 2) @ of_kernel)


@pytest.mark.parametrize(
    ('tuning', 'line'),
    [
        (Tuning(3, 0), 'train.freeze=3: the encoder has 3 layers, one of which must be trained'),
        (Tuning(-1, 32), 'train.lora_rank=32: must be below the width, 32'),
    ],
)
def test_what_leaves_nothing_is_refused(tuning, line):
    with pytest.raises(UserError, match=line):
        tuning.encoder(DEBERTA)
