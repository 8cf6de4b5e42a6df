"""Tells what two foreign decoders make of bencode: lines of hexadecimal in, one word a line out.

For libtorrent and then for bencode.py a letter: `n` not bencode, `c` canonical (it encodes to the same bytes again),
`l` let through though it is not.
"""

import sys

import bencodepy
import libtorrent


def judged(decode, encode, data):
    try:
        value = decode(data)
    except Exception:  # Whatever a decoder says no with.
        return "n"
    return "c" if encode(value) == data else "l"


for line in sys.stdin:
    data = bytes.fromhex(line)
    first = judged(libtorrent.bdecode, libtorrent.bencode, data)
    second = judged(bencodepy.decode, bencodepy.encode, data)
    print(first + second)
