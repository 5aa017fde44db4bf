"""What cannot stand together: shared resources, contradictory actions, dependencies, times."""
