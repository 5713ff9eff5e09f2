"""Station 2, cut: untrusted bytes become H.264 clips with a known GOP. ffmpeg is met here and nowhere else."""
