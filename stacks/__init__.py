"""The Pulumi program: the layer that a stack's name says, declared from the architecture.

One module per layer. What the resources look like is the components' business; what there is and
who may do what comes from `architecture`.
"""
