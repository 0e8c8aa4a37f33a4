"""Targets, generators and alarms, and how they are trained."""
