"""Painting by optimisation: Gatys, Ecker & Bethge 2015."""
