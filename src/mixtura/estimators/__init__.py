"""Estimators: scikit-learn-shaped shells around the library's values and functions."""
