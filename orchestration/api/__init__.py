"""The HTTP edge of the coordination engine; FastAPI is imported nowhere else."""
