"""How cost grows. See `__main__`."""
