"""The classifier's graph, in the order in which a row passes it: encoder, deep and wide branch."""
