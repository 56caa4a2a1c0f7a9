"""Pictures to try impasto with: style pictures drawn by code, and photographs already installed."""
