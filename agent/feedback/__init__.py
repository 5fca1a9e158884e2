"""From what users do to what is learned of it: logging, scrubbing, feedback, annotation, preference pairs."""
