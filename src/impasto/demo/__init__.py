"""Pictures to try impasto with: style pictures drawn by code, and photographs that scikit-image installs."""
