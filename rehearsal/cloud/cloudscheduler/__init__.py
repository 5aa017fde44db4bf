"""Cloud Scheduler: the administration of jobs. Nothing runs them yet."""
