"""Reading the simple pages of other indexes, which may say anything."""
