"""IAM: who may do what, service accounts and custom roles."""
