"""Cloud Billing: the project's billing account, as far as the provider asks for it."""
