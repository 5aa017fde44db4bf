"""What an operation tells while it runs: the stream, and how people and programs read it."""
