"""Closed forms, solvers and bounds of Sections 4 and 5 and of the appendices: numpy and scipy only."""
