"""What the paper adds to a reader: span candidates and the losses on them.

Knows arrays only: no files of questions, no tokenizer, no parameters, no configuration.

Axes of this room:

    E hard negatives of a window (the paper's Theta)
    X candidates, or their types: whatever has a weight
    Y teachers
"""
