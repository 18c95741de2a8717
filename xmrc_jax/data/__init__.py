"""Text on disk to batches of fixed shape: corpora, windows, batches. Knows no JAX and no model."""
