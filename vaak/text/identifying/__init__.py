"""Which language a document is in: by its script, two classifiers that vote, and frequent words."""
