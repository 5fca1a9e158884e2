"""What the online loop keeps: interactions, feedback, annotations, experiments, and the service's secrets."""
