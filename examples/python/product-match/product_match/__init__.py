"""Finds the product that a customer meant."""
