"""What a page shows: figures, tables, criteria, verdicts."""
