"""Evaluation of an exported model. `ethos_model.evaluate` is the command and the API.

| module | task |
| --- | --- |
| `samples` | reads faces of a converted split at source resolution |
| `conditions`, `corruptions` | degrade the faces |
| `degraded` | one batch under one condition: input images and ground truth |
| `baseline` | the mean face, a baseline that does not look at the image |
| `gather`, `scores`, `still` | predict and score all faces under all conditions |
| `summary`, `bootstrap`, `slices` | means, confidence intervals and slices |
| `results` | the report as plain numbers |
| `report` | the report as text, CSV and HTML |
"""
