"""The `gcp` resource types over Google's REST APIs."""
