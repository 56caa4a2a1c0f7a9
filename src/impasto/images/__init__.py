"""Files and pixels: reading, writing, resizing and contact sheets. Only this room knows of file formats."""
