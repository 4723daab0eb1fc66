"""Faults: deliberate mistakes, each of which a law must catch."""
