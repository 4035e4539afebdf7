"""The stopping rule in other people's training loops."""
