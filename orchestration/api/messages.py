"""Answers that say no more than that something was done."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    """What was done, in words; and the plan that came of it, or what kept one from coming."""

    model_config = ConfigDict(frozen=True)

    message: str
    plan_id: str | None = None
    blocked_by: tuple[str, ...] | None = None
