"""IAM credentials: short-lived tokens of service accounts (impersonation)."""
