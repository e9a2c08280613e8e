"""Where bytes rest: atomic files and their hashes."""
