"""Sentences, passages and documents in the eleven Indic languages, made from small hand-written grammars."""

from vaak.demo.texts.indic.grammar import INDIC, documents, long_form, possible, sentences

__all__ = ["INDIC", "documents", "long_form", "possible", "sentences"]
