"""Text for pretraining: documents in, a frozen stream of token ids out."""
