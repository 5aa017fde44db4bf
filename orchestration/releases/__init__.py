"""What was deployed, and taking it down again."""
