"""The training worker: a separate process that trains LoRA adapters from approved curricula and evaluates
them. No other package imports it."""
