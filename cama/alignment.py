"""Where crops and tiles may begin, so that each has the same Bayer phase and the same place on the JPEG grid."""

MCU = 16  # pixels a side of the largest minimum coded unit in common use, that of 4:2:0 (ITU-T T.81)
