"""What is shown of a comparison: tables, the page, the picture, Markdown."""
