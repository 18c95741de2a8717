"""Where two nested dicts differ."""

from collections.abc import Iterator


def differences(other, own, path: str = '') -> Iterator[str]:
    """Leaves of two nested dicts that differ, the other's first.

    Example:
      >>> list(differences({'train': {'peak_lr': 3e-5}}, {'train': {'peak_lr': 1e-5}}))
      ['train.peak_lr is 3e-05 there, 1e-05 here']
    """
    if isinstance(other, dict) and isinstance(own, dict):
        for name in sorted(other.keys() | own.keys()):
            inner = f'{path}.{name}' if path else name
            yield from differences(other.get(name), own.get(name), inner)
    elif other != own:
        yield f'{path} is {other!r} there, {own!r} here'
