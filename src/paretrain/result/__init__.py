"""The result folder: what a full training writes, and how it is read."""
