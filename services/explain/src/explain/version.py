"""Hand-bumped version of what this service computes: part of the key of everything it stores."""

VERSION = 4
