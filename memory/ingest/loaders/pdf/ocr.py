"""Reads a scanned page with the tesseract command, if it is installed."""

import io
import shutil
import subprocess
from contextlib import closing
from typing import Any

SECONDS = 60.0
"""Time limit for one page."""
DPI = 300
MAX_PIXELS = 30_000_000


def read_scan(pdf: Any, number: int) -> tuple[str, str]:
    """The text of page `number` (from 1), or the reason why it is unread."""
    command = shutil.which("tesseract")
    if command is None:
        return "", "no text: install tesseract, which reads scans, and ingest again, or run OCR on the file"
    import pypdfium2

    try:
        with closing(pdf[number - 1]) as page:
            width, height = page.get_size()
            scale = min(DPI / 72, (MAX_PIXELS / max(width * height, 1.0)) ** 0.5)
            with closing(page.render(scale=scale, grayscale=True)) as bitmap:
                image = io.BytesIO()
                bitmap.to_pil().save(image, "PNG")
        done = subprocess.run(
            [command, "stdin", "stdout"],
            input=image.getvalue(),
            capture_output=True,
            timeout=SECONDS,
            check=True,
        )
    except (pypdfium2.PdfiumError, OSError, ValueError, subprocess.SubprocessError) as error:
        return "", f"no text, and OCR failed ({error})"
    text = done.stdout.decode("utf-8", "replace").strip()
    return text, "" if any(c.isalnum() for c in text) else "no text, and OCR found none"
