"""Programs: their processes, and the gRPC services that they talk to."""
