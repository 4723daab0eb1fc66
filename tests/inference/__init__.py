"""Inference on fitted mixtures: intervals, tests of one more component, merging into clusters."""
