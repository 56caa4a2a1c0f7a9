"""Which release of impasto ships a net. Imports no torch."""

RELEASES = {
    "09aeca2199967a3bfab3d80ade6244e95df16780c5c1f6636d9912553bf3516a": "0.1.0",  # adain
    "0fc0d0f0a62fc3455c537ae91a4084672b9874f21b7cda5de51b5010e2ac48d8": "0.1.0",  # gallery
    "3233886f672dddee9aaf0118cea2a007a181f67e3ca330f1be3fb29bb8cebf63": "0.2.0",  # gallery
    "57ee409939b1cf56e3694afd41baf6271ea482955f95c800261351064ee974d2": "0.1.0",  # great-wave-small
    "e4e481a60e668560df54bb02df8662eedbe2acc23275f041d82678769b9d8b0b": "0.1.0",  # swap
    "094f0b95f641838ee5e2dbb11309aab8bfbb01e239261f38ca1a18f1ef7a53c9": "0.1.0",  # the-scream-small
}
"""The last release that ships a net, by the sha256 of its file. A net that is replaced keeps its entry."""
