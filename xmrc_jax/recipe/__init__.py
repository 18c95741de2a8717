"""The paper's recipe: from a configuration to readers in a working folder, and their scores.

Axes of this room:

    E queries: questions with all the passages they are asked of
    U units that have a Z of their own: questions, or single windows
"""
