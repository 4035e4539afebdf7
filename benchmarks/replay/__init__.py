"""Curve replay: stopping rules tried on recorded learning curves. See `__main__`."""
