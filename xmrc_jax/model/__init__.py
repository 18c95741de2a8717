"""Encoder and reader: token ids to hidden vectors and span logits.

``encoder`` is the transformer, ``reader`` puts the span head on it, ``weights`` translates
parameters from and to Hugging Face's names. Outside this room a model is a frozen
``EncoderConfig`` and a nested dict of arrays; nothing here knows of data, losses or training.

Axes of this room:

    C pairs of a head's width that rotary positions turn together
    E rows of the table of relative positions
    U rows of the token table that are in use
"""
