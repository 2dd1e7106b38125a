"""Experiment tracking and model registry with MLflow; call it from a child process, its import takes seconds."""
