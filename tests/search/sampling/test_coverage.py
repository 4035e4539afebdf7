"""What samplers model of a space."""

from search.problem.parameters import parameters, random_trials
from search.problem.space import load_space
from search.sampling.coverage import modelled


def test_share_of_the_parameters_that_samplers_model() -> None:
    drawn = random_trials(load_space("from_scratch"), 300)
    rows = parameters(drawn)
    shares = modelled(drawn, len(rows))
    always = sum(row.condition == "" for row in rows)
    assert shares["front"] == shares["tpe"] == 1.0
    assert shares["gp"] == shares["nsga2"] == always / len(rows) < 0.7
