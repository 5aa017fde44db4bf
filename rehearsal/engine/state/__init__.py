"""What is deployed: resources, checkpoints, and the steps that lead from one to the next."""
