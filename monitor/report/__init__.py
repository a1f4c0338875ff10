"""The weekly drift report: gathered from the store with SQL, rendered as HTML, Markdown and JSON."""
