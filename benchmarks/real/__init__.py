"""A search on real images at a useful size, beside networks chosen by hand. See `__main__`."""
