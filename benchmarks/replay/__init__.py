"""Stopping rules replayed on recorded learning curves: see `__main__`."""
