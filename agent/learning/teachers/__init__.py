"""Teachers write question and answer pairs about passages: by rules, with a remote model, or both."""
