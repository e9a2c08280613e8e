"""Training: the loop, its stages, its meters, in-loop validation, and the 32-sample overfit gate."""
