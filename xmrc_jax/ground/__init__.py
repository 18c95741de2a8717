"""What every room stands on: the one error for users, whole files, choosing from a table."""
