"""The embedded example: a small frozen corpus of synthetic speech in twelve languages, and the script that made it."""
