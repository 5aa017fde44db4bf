"""The only importer of `pulumi.automation`: workspaces, operations on stacks, engine choice."""
