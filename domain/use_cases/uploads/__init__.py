"""Taking in files that clients send."""
