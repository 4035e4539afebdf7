"""Plotly figures of a study, one module each."""
