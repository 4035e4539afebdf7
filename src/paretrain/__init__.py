"""Train one image classifier from one typed configuration.

`TrainConfig` (paretrain.config) says everything about a training; `Training` (paretrain.training)
runs it as a generator of epochs; `python -m paretrain config.yaml` does both from the terminal.
Nothing here knows of Optuna, of `search/` or of `spaces/`.
"""

__version__ = "0.1.0"
