"""Where state lives: a folder laid out as the real engine's, and its locks."""
