"""What a GPU is to show: right, fast, shared. See `__main__`."""
