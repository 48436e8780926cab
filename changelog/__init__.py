"""What happened, and what it adds up to: the changelog and its views."""
