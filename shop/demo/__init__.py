"""The goods of the demo shop: what they are, and how they look."""
