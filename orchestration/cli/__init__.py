"""The command line: parsing, progress, tables, exit codes."""
