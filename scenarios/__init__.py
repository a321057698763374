"""Workloads as plain Locust files, and the load kit they share."""
