"""Training any network of the house: data, loop, exact resume. What is learned is a `Task` of a method."""
