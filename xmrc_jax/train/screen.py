"""What of a training is seen while it runs: the bar, and beside it how it goes."""

from collections.abc import Iterable, Iterator, Mapping

from xmrc_jax.ground.progress import progress

SHOWN = {'loss': 'loss {:.3f}', 'learning_rate': 'lr {:.1e}', 'dev_f1': 'dev F1 {:.2f}'}


class Screen:
    """The bar of a stage over what its steps take; says first where a stage goes on."""

    def __init__(self, label: str, inputs: Iterable, steps: int, first: int):
        self._label, self._texts = label, {}
        if first:
            print(f'{label}: from step {first} of {steps}', flush=True)
        self._bar = progress(
            inputs, f'{label}: compiling', steps, initial=first, unit='step', smoothing=0.1
        )

    def __iter__(self) -> Iterator:
        for number, each in enumerate(self._bar):
            if number == 1:  # the first step is compiled and queued
                self._bar.set_description_str(self._label)
            yield each

    def show(self, metrics: Mapping[str, float]) -> None:
        """The newest of the metrics that are shown stand beside the bar."""
        shown = {name: SHOWN[name].format(metrics[name]) for name in SHOWN if name in metrics}
        self._texts |= shown
        texts = [self._texts[name] for name in SHOWN if name in self._texts]
        self._bar.set_postfix_str(', '.join(texts), refresh=bool(shown))

    def close(self) -> None:
        self._bar.close()
