"""Copying what happened, and taking over."""
