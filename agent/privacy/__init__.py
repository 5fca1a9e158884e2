"""Personal data in texts: finds it, and replaces it by policy before anything is logged or learned."""
