"""Painting with feed-forward networks: Johnson, Alahi & Fei-Fei 2016."""
