"""The built-in actions: what each one needs, does to services of an environment, and undoes."""
