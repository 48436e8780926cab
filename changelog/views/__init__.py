"""Views: tables folded from the log, and the functions that read them."""
