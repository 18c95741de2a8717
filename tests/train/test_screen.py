"""Beside the bar stands what a user wants to know of a running training."""

from xmrc_jax.train import screen


class Bar:
    """Keeps what is shown."""

    def __init__(self, inputs, desc, steps, **options):
        self.shown, self.options, self._inputs = [desc], options, inputs

    def __iter__(self):
        return iter(self._inputs)

    def set_description_str(self, text):
        self.shown.append(text)

    def set_postfix_str(self, text, refresh):
        self.shown.append(text)

    def close(self):
        self.shown.append('closed')


def test_it_compiles_then_shows_the_newest_values(monkeypatch, capsys):
    bars = []
    monkeypatch.setattr(screen, 'progress', lambda *a, **o: bars.append(Bar(*a, **o)) or bars[-1])
    own = screen.Screen('base', ['a', 'b', 'c'], 9, 6)
    assert capsys.readouterr().out == 'base: from step 6 of 9\n'
    for each in own:
        if each == 'a':
            assert bars[0].shown == ['base: compiling']
        if each == 'b':
            own.show({'dev_f1': 61.238})
            own.show({'loss': 1.23456, 'learning_rate': 3e-5, 'grad_norm': 7.0})
        if each == 'c':
            own.show({'loss': 1.0, 'learning_rate': 2e-5})
    own.close()
    assert bars[0].options['initial'] == 6
    assert bars[0].shown == [
        'base: compiling',
        'base',
        'dev F1 61.24',
        'loss 1.235, lr 3.0e-05, dev F1 61.24',
        'loss 1.000, lr 2.0e-05, dev F1 61.24',
        'closed',
    ]


def test_a_stage_that_begins_says_nothing(capsys):
    own = screen.Screen('base', ['a'], 1, 0)
    assert list(own) == ['a']
    assert capsys.readouterr().out == ''
