"""IAM: waiting until grants are effective, and measuring how long that took."""
