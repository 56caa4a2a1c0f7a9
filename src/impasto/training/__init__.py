"""Trains networks: data, loop, exact resume. What is learned is a `Task`; `tasks/` has one file for each."""
