"""Property values and what they are made of: paths, names, JSON and the wire."""
