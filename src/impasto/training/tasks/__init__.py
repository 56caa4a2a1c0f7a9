"""What can be trained: one file for each trainer, and one for its settings where they are many."""
