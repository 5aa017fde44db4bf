"""The director: commands and completions over Pub/Sub, the client's side and the service's."""
