"""The models as data: what is trained, where, and why."""
