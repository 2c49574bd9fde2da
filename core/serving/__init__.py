"""What serves a class: long work runs once, in the background, for all who ask.

`jobs` is the mechanism, `turns` shares its threads among people, `memory` bounds what is
remembered, and `lecturer` and `rights` say who may do what; `core.serving.server.Server` holds what
the sessions of a server share.
"""
