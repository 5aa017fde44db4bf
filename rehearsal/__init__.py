"""The embedded default: a local cloud and a small Pulumi engine; knows nothing of the product."""
