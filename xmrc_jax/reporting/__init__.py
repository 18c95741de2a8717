"""What runs and sweeps left, as one page, as Markdown and as LaTeX: read, compared, drawn.

Nothing here trains or asks a reader, and a cell for which there is no result stays empty.
"""
