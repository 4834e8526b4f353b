"""The goods of the demo shop, and how they get into it."""
