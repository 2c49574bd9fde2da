"""Measurements of what attacks do to networks.

`rates` attacks many images, `path` one image under every budget, `walk` one image step by step.
`nearest` looks for the smallest change that flips one image. `worst` sets what the strongest attack
finds in many images beside what is proved, and `limits` bounds the rate of any attack.
`plane` maps what a network sees around an image; `sanity` checks that the numbers can be trusted,
`outputs` what a network gives an attack to work with;
`remarkable` finds images worth a look; `confusion`, `attribution`, `similarity` and `units` look
for reasons; `robustness` compares networks.
"""
