"""Oracles: numbers from outside this library, with how they were made."""
