"""The artworks, one a file; each draws itself on a `Sheet` with a seeded generator."""
