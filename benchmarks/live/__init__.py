"""Searches by several methods with real trainings, at equal epochs and seconds: see `__main__`."""
