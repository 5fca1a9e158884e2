"""Teachers: whoever writes question and answer pairs about passages."""
