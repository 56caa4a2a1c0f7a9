"""The artworks, one in each file. Each has a function ``draw``, which gets a `Sheet` and a seeded generator."""
