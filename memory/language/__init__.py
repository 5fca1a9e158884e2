"""The rules of language that all packages share: words, terms, verbs, word lists."""
