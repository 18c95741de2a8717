"""One training loop for every stage: objective, optimizer, sharding, checkpoints.

Axes of this room:

    E hard negatives of a window (the paper's Theta)
    U used rows of the token table
    Y teachers
    Z masked tokens of a window
"""
