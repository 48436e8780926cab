"""How views look on the wire."""
