"""Configuration: building nodes, checking them before anything runs, and readable errors."""
