"""One spelling for what is written in several ways: characters, signs and punctuation of each script."""
