"""Alignment after fine-tuning: completions are judged (`judges`), and a model learns from what the judges prefer."""
