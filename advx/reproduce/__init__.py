"""All experiments in one command: which, in what order, each in a process of its own."""
