"""The embedded default: a local cloud and a small Pulumi engine. It knows nothing of the packages above."""
