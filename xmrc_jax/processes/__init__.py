"""Several processes as one run: how they join, agree, take turns, stop and end together."""
