"""The certified corpus: records, the files that hold them, and the folder of these."""

from mlp_ref.corpus.folder import Corpus, CorpusError, find, load, write

__all__ = ["Corpus", "CorpusError", "find", "load", "write"]
