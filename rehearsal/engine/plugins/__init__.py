"""The providers of a deployment, ours and the engine's own."""
