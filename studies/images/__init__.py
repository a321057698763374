"""Pairs of images that differ in one thing, built and measured: the advice on images put to the test."""
