"""How fast a search is, beside what else one could do. See `__main__`."""
