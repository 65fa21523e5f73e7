"""Ensembles trained, unlearned, scored and recorded: torch, numpy and scipy only."""
