"""Cloud Scheduler: jobs, which really fire."""
