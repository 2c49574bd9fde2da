"""Measurements of what attacks do to networks.

`rates` attacks many images, `path` one image under every budget, `sanity` checks that the numbers
can be trusted; `confusion`, `attribution`, `similarity` and `units` look for reasons; `robustness`
compares networks.
"""
