"""Text on disk to batches of fixed shape: corpora, windows, batches. Knows no JAX and no model.

Axes of this room:

    C copies of an answer's text that windows hold
    I runs of numbers, end to end
    O occurrences of an answer's text in its passage
    U pieces of all distinct texts, end to end
    X pieces with visible text
    Y turns: the gold answers of a question, one after the other
"""
