"""One run of a search, from its options to its last line."""
