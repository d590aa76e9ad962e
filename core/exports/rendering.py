"""A whole project as a file: JSON and CSV for programs, Markdown for people. The importer reads each back without loss."""

from typing import assert_never

from core.exports.markdown import render_markdown
from core.exports.table import render_table
from schemas.export import ExportDocument, ExportFormat


def render_export(document: ExportDocument, format: ExportFormat) -> str:
    """Return the document as text of the given format, ending in a line break."""
    match format:
        case ExportFormat.JSON:
            return document.model_dump_json(indent=2) + "\n"
        case ExportFormat.CSV:
            return render_table(document)
        case ExportFormat.MARKDOWN:
            return render_markdown(document)
        case _:
            assert_never(format)
