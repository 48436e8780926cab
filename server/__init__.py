"""What may happen, and how it looks over HTTP."""
