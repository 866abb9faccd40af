"""A PKCS#12 file whose iteration counts are raised: DER surgery on a good one."""


def read(data, at):
    """(tag, start of content, end of content) of the element at `at`."""
    tag, size, start = data[at], data[at + 1], at + 2
    if size & 0x80:
        count = size & 0x7F
        size = int.from_bytes(data[start:start + count], "big")
        start += count
    return tag, start, start + size


def element(tag, content):
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    raw = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(raw)]) + raw + content


def rewrite(data, count):
    """Every INTEGER 2048 becomes `count`; lengths around it grow."""
    out, at = b"", 0
    while at < len(data):
        tag, start, end = read(data, at)
        content = data[start:end]
        if tag & 0x20:
            content = rewrite(content, count)
        elif tag == 2 and int.from_bytes(content, "big") == 2048:
            content = count.to_bytes(4, "big")
        elif tag == 4 and content[:1] == b"\x30":
            try:
                if read(content, 0)[2] == len(content):
                    content = rewrite(content, count)
            except IndexError:
                pass
        out += element(tag, content)
        at = end
    return out


def with_iterations(data, count):
    return rewrite(data, count)
