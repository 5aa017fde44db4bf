"""The commands: arguments in, words and an exit code out."""
