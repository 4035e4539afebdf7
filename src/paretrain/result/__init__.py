"""What a full training leaves: one folder, written and read."""
