"""Pictures and videos in and out: decoding, encoding, drawing, and finding the moving person.

Imports numpy, PyAV and Pillow only; both ``fastpose.data`` and ``fastpose.inference`` build on it.
"""
