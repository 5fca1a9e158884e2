"""The outbox: hands approved curricula over to the training worker."""
