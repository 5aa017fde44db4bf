"""Cloud Run: services, their revisions, and the processes that really run."""
