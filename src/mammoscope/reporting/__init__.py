"""Evidence -> what a person reads: figures, tables, a run's description. Nothing here computes a metric of its own."""
