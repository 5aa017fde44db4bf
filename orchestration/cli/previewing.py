"""`conductor preview`: what the next `up` would change, stack by stack."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path

from orchestration.automation.results import StackPreview
from orchestration.cli.console import output
from orchestration.cli.deploying import Request, open_request
from orchestration.cli.preview_text import show_review, show_stack
from orchestration.conductor.assembly import review_environment
from orchestration.review.building import stack_review
from orchestration.review.comment import to_comment
from orchestration.review.markdown import to_markdown
from orchestration.review.page import to_html
from orchestration.review.store import PreviewStore, write_review


class PreviewFormat(StrEnum):
    """How a preview is written."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"
    COMMENT = "comment"


def preview_all(request: Request, *, written_as: PreviewFormat, out: Path | None) -> bool:
    """Preview every stack, keep what it fingerprints, and say whether anything would change.

    Raises:
        ConductorError: the preview was refused or failed, or `out` cannot be written.
    """
    opened = open_request(request)
    console = output()

    def show(preview: StackPreview) -> None:
        if written_as is PreviewFormat.TEXT:
            show_stack(console, stack_review(preview), opened.file.architecture.project_id)

    with opened.environment.locked(f"conductor preview --env {request.environment}"):
        review = review_environment(
            opened.environment,
            opened.file,
            opened.target,
            engine=opened.engine,
            refresh=request.refresh,
            on_preview=show,
        )
        PreviewStore(opened.environment).keep(review)
    if out is not None:
        write_review(out, review)
    match written_as:
        case PreviewFormat.TEXT:
            show_review(console, review)
        case PreviewFormat.JSON:
            sys.stdout.write(review.model_dump_json(indent=2) + "\n")
        case PreviewFormat.MARKDOWN:
            sys.stdout.write(to_markdown(review))
        case PreviewFormat.HTML:
            sys.stdout.write(to_html(review))
        case PreviewFormat.COMMENT:
            sys.stdout.write(to_comment(review))
    return bool(review.changes)
