"""Resource Manager: the one project and its policy."""
