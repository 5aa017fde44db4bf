"""The `docker` resource types: images built and pushed without a docker daemon."""
