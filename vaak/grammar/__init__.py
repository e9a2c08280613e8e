"""Which id means what, and how a prompt is built: the same code in training and in use."""
