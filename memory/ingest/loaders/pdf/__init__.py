"""Loads PDFs: characters from pdfium, reading order and tables by layout, scanned pages by tesseract."""
