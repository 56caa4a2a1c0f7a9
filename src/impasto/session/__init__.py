"""Painting from files to files: reads pictures, keeps networks and style statistics, writes pictures with recipes."""
