"""Contracts, pure time-series core, storage and runtime that every CBI service shares."""
