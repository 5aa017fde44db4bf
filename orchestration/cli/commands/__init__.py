"""The declarations of all commands: their words, options and help.

Each command imports what it needs when it runs: `conductor --help` must not wait for Pulumi. What a
command does is in the module beside this folder that is named after it.
"""
