"""Code to measure from an image and from .pyc files: in every module loop(n), of fixed result."""
