"""Cloud Storage: buckets, and objects without history."""
