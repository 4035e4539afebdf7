"""What a study says about the questions that are asked of its settings: docs/answers.md."""
