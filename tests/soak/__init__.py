"""Soak: an hour of mixed load on a whole service, whose memory, files and threads must stay flat."""
