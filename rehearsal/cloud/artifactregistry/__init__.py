"""Artifact Registry: repositories and the container images in them."""
