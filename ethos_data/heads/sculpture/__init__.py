"""The built-in head, modelled by hand.

`field` describes the surface, `curves` the edges that the mesh must follow, `net` and
`mesh` lay the mesh over the surface, `pieces` adds eyeballs, teeth and linings, and
`identity` and `expression` define how heads vary and move, with `displacement` as their
building blocks. `build` puts the results together.

All coordinates are in the head frame, in cm. Only the left half (x > 0) is modelled.
The right half is its mirror image.
"""
