"""The most similar patch of a style for each patch of a photograph."""
