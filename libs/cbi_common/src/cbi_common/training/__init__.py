"""Walk-forward training: what both trainers share, whatever they fit."""
