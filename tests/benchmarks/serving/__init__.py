"""How fast the embedded server is beside calls of the same SavedModel in a process."""
