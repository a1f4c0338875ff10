"""Versioned word lists, one file per purpose; literal, so that a diff of them is a diff of behaviour."""
