"""Checks over planned resources, before anything is applied: one file a rule.

Each rule is a plain function over one planned resource. `policies.checking` has the list of them,
`waivers.yaml` the exceptions that somebody has signed for, and `pack/` wraps the same rules for
`pulumi up --policy-pack policies/pack`.
"""
