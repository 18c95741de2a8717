"""What runs and sweeps left, as tables, as one page, as Markdown and as LaTeX.

Study -> tables -> terminal, Markdown, HTML, LaTeX; a run is a study of its systems. Nothing here
trains or asks a reader, and a cell for which there is no result stays empty.

Axes of this room:
    C columns of a table, most often languages
    I seeds that two entries have in common
    X resamples of the bootstrap
    Y columns of all seeds side by side (I x C)
"""
