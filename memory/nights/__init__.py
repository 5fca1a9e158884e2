"""What nights keep: their records in the relational store, and the archive of good answers."""
