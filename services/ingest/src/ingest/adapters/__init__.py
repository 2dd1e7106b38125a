"""What ingest reads from and writes to."""
