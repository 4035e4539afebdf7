"""The families of networks, and what a network costs before it is trained."""
