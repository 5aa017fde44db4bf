"""The Pulumi program: `__main__.py` picks the layer from the stack name."""
