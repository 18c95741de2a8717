"""The paper's recipe: from a configuration to readers in a working folder, and their scores.

Axes of this room:

    U units that have a Z of their own: questions, or single windows
"""
