"""Span logits to text, text to scores, scores to records."""
