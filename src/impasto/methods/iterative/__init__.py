"""Generation one: the pixels themselves are optimised against a fixed VGG."""
