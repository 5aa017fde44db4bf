"""Resource providers for the embedded engine: the gcp and docker types that our stacks use."""
