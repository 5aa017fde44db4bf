"""Secrets: the passphrase that guards them, and how values are encrypted in a state."""
