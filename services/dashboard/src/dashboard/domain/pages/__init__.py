"""What stands on each page, in words and figures, computed before any HTML."""
