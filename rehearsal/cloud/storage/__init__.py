"""Cloud Storage: buckets, and objects with their generations."""
