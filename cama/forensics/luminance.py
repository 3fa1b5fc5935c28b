"""The luminance of a picture as JPEG has it (BT.601)."""

import numpy as np

GREY = np.array([0.299, 0.587, 0.114], np.float32)  # shares of red, green and blue
