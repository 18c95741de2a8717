"""Where the shell files lie."""

from pathlib import Path

LAUNCH = Path(__file__).parents[2] / 'launch'
