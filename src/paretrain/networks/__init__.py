"""Networks by family, and what they cost before they are trained."""
