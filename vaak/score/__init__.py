"""Metrics on tokens and sound: error rates, speech recognisers and how far they are trusted, quality, similarity, sanity.

The modules are imported one by one (`vaak.score.asr`, `vaak.score.quality` ...): some of them load large models.
"""
