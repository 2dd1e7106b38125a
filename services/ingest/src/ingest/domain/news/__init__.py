"""Articles: which of them may be read, from when on, and what they say of a session."""
