"""Networks that see: an image in, named feature maps out."""
