"""Painting as a whole: pictures in, networks and style statistics kept, pictures with their recipes out."""
