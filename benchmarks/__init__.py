"""Measurements that take minutes: one command each, a Markdown table out."""
