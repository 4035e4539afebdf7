"""The processes that train. Nothing here knows of Optuna."""
