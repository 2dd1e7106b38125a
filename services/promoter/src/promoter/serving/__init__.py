"""The serving container: a package behind HTTP, after the contract of Vertex AI."""
