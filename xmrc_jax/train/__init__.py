"""One training loop for every stage: objective, optimizer, sharding, checkpoints."""
