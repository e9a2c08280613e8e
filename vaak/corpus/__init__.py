"""The pretokenised store: frozen, hashed folders of codes and text ids, and the gold pack made from them."""

from vaak.corpus.reader import Corpus, Group, open_corpus, open_staged_corpus
from vaak.corpus.samples import Sample
from vaak.corpus.verify import verify_corpus
from vaak.corpus.writer import CorpusWriter

__all__ = ["Corpus", "CorpusWriter", "Group", "Sample", "open_corpus", "open_staged_corpus", "verify_corpus"]
