"""`impasto batch` in a process of its own, with a tiny encoder: python tiny_batch.py ARGS..."""

import sys

from impasto.cli import main
from impasto.methods.common import loader
from impasto.weights.canonical import tiny_weights

if __name__ == "__main__":
    tiny = tiny_weights()
    loader.load = lambda name, **more: tiny
    sys.exit(main(["batch", *sys.argv[1:]]))
