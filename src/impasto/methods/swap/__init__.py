"""Painting by style-swap: Chen & Schmidt 2016."""
