"""Nearest-neighbour style transfer: every position is painted like the position of the style most similar to it."""
