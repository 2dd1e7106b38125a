"""Types, errors, identities and the clock; imports nothing of ours."""
