"""Painting by nearest neighbours: Kolkin et al. 2022."""
