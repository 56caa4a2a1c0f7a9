"""Painting by other methods in turn, from small to large, each going on from the picture so far."""
