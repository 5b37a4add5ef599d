"""What the panels show, read from fields, runs and reports."""
