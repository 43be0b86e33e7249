"""Synthetic people: rendered heads with exact landmarks and depth.

Frames of reference:

- Head frame: centimetres. x points to the right of a viewer who looks into the face, so
  the person's left side has positive x. y points up, z points towards the viewer.
- World frame: centimetres, after the head was turned. The origin is the pivot of the
  head on the neck (`Figure.pivot`). The camera looks along -z.
- Source pixels: x points right, y points down, and pixel centres have integer
  coordinates. A larger z is nearer to the camera.

In all meshes, the corners of a triangle run counter-clockwise seen from outside.
"""
