"""The run: its phases, the state passed between them, its record."""
