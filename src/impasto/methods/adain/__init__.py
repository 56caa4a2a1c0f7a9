"""Painting by adaptive instance normalisation: Huang & Belongie 2017."""
