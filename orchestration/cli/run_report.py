"""`conductor report`: one run as a document, for programs or for people."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path

from orchestration.cli.deploying import one_of
from orchestration.conductor.records import find_run
from orchestration.conductor.report_page import page
from orchestration.conductor.reports import report_of
from orchestration.durable.database import database_url, open_database
from orchestration.durable.journal_store import JournalStore
from orchestration.environments import Environment, write_atomically
from orchestration.settings import Settings


class ReportFormat(StrEnum):
    """How a report is written."""

    JSON = "json"
    HTML = "html"


def write_report(
    run_id: str, *, written_as: str | None, out: Path | None, database: str | None
) -> None:
    """Write a run's report to a file, or to standard output.

    Raises:
        UsageError: there is no such run or format, or the file cannot be written.
    """
    by_name = "html" if out is not None and out.suffix in {".html", ".htm"} else "json"
    form = one_of(ReportFormat, written_as or by_name, "--format")
    settings = Settings.from_environment()
    record = find_run(run_id, settings)
    environment = Environment(record.environment, settings)
    engine = open_database(database_url(database, environment.database_file))
    try:
        journal = JournalStore(engine, environment.name).read(run_id)
    finally:
        engine.dispose()
    report = report_of(record, journal)
    text = page(report) if form is ReportFormat.HTML else report.model_dump_json(indent=2) + "\n"
    if out is None:
        sys.stdout.write(text)
    else:
        write_atomically(out, text)
