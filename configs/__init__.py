"""Configurations: ``mlqa.py`` and ``xquad.py`` are the paper's, ``quickstart.py`` needs no network.

``tables/`` has the paper's tables and figures, for ``xmrc_jax.sweep``.

A variant is named after a colon (``configs/mlqa.py:base``), a leaf is overridden on the command
line (``--config.train.epochs=3``).
"""
