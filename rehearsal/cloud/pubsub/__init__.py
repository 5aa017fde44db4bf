"""Pub/Sub: topics, subscriptions, delivery, over REST and gRPC."""
