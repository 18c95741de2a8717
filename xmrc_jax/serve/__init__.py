"""A trained reader over HTTP, with a page to try it.

``requests`` turns bytes into queries or refuses them, ``batching`` answers those of one moment as
one batch of the ``Reader``, ``metrics`` counts, and ``app`` is the routes. Nothing here knows how a
text becomes an answer.
"""
