"""What serves a class: long work runs once, in the background, for all who ask.

`jobs` is the mechanism; `core.serving.server.Server` holds what the sessions of a server share.
"""
