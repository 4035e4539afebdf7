"""optuna-dashboard with our figures, notes and tables."""
