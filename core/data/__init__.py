"""Digits: MNIST, folders of pictures, picture files, drawings."""
