"""A link as a QR code."""


def data_uri(link: str) -> str:
    """Return a QR code of a link as an SVG image in a data URI, black on white on any page.

    Raises:
        ValueError: the link is longer than a QR code can be.
    """
    import segno

    # The fewer squares, the larger each of them: the lowest level of error correction that fits.
    code = segno.make(link, error="l", micro=False)
    uri: str = code.svg_data_uri(dark="#000", light="#fff", border=4, omitsize=True)
    return uri
