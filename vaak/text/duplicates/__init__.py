"""Which documents say what another one says already: exactly, or nearly."""
