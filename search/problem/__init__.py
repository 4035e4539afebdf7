"""What is asked: a space, its networks and their exact sizes, the limits and the target."""
