"""Span logits to text, text to scores, scores to records.

Axes of this room:

    C spans of all windows, end to end
    X distinct answers, ranked within their question
"""
