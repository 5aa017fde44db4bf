"""What a project and a stack are told: `Pulumi.yaml` and `Pulumi.<stack>.yaml`."""
