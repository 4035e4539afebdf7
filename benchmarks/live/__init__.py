"""Searches by several methods with real trainings, at equal epochs and seconds. See `__main__`."""
