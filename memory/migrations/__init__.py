"""The history of the relational schema; `memory.database` applies it whenever it opens a database."""
