"""The commands of `nightschool`, a file per group; all but those of `serve` are clients of a running api."""
