"""What the coordination engine does: plans carried out on stacks and by agents, and undone."""
