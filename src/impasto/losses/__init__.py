"""Distances between pictures, as pure functions and as weighted terms of an objective."""
