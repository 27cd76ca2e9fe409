"""From what each job wrote to a row a model, to a row a tau, and to one table a question."""
