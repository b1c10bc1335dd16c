"""The way out: one adapter a file, named by its technology."""
