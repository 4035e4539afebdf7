"""FrontPruner as a package of OptunaHub."""
