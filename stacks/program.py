"""Picks a stack's layer by its name and declares it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TypeAlias, cast

import pulumi

from architecture.model import Layer
from stacks.context import StackContext, read_context

Outputs: TypeAlias = Mapping[str, pulumi.Input[object]]
Declare: TypeAlias = Callable[[StackContext], Outputs]

# The Automation API sets it: then a program drives the stacks, not somebody at a terminal.
AUTOMATION_VARIABLE = "PULUMI_AUTOMATION_API"
ALONE = (
    "this is one stack alone: only `conductor up` goes through the stacks in their order, builds "
    "from changed sources, has the director set up dataflows, waits until grants work and checks "
    "that services are healthy"
)


def declare_stack() -> None:
    """Declare the running stack and export its outputs."""
    if AUTOMATION_VARIABLE not in os.environ:
        pulumi.log.info(ALONE)
    context = read_context()
    for name, value in declaration_of(context.name.layer)(context).items():
        pulumi.export(name, value)


def declaration_of(layer: Layer) -> Declare:
    """Return a layer's `declare`; only that layer's module is imported, as starts are frequent."""
    return cast("Declare", import_module(f"stacks.{layer}").declare)
