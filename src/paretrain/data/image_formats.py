"""Formats of image files that are read, by Pillow's names, and the suffixes of their files.

The content of a file decides its format, never its suffix. Everything else that Pillow knows stays
closed: EPS would start Ghostscript, and rare decoders have had the most faults.
"""

FORMATS: dict[str, tuple[str, ...]] = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png", ".apng"),
    "GIF": (".gif",),
    "WEBP": (".webp",),
    "BMP": (".bmp",),
    "TIFF": (".tif", ".tiff"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
    "AVIF": (".avif",),
}

SUFFIXES = frozenset(suffix for suffixes in FORMATS.values() for suffix in suffixes)
"""Suffixes, in small letters, of files that a folder is searched for."""
