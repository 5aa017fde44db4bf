"""The harness around the Pulumi program: runs, waiting for IAM, the director, the command line."""
