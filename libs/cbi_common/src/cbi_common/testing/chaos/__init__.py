"""Seeded faults against the real stack: ``python -m cbi_common.testing.chaos --n 20 --seed 1`` (docs/chaos.md)."""
