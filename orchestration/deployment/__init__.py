"""Building all images and deploying services in parallel, with every error collected."""
