"""Channel statistics of features, and the maps between them."""
