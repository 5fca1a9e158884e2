"""Language rules shared by all packages: words, sentences, content words, verb forms, word lists."""
