"""The doors: thin commands over the public functions of the rooms."""
