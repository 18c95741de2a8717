"""Span logits to text, text to scores, scores to records.

Axes of this room:

    C spans of all windows, end to end
    E pools of questions: those that are asked of several passages
    O windows whose spans are a question's answers as they are
    X distinct answers, ranked within their question
    I rows of whatever is grouped or fitted
"""
