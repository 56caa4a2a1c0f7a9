"""Any style, one pass: AdaIN, style-swap, and the training of their inverse nets."""
