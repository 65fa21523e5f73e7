"""Plots and tables of the chapters, one file for each: pure functions, data in, figure or table out."""
