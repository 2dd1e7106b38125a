"""What a run came to, from its events alone."""
