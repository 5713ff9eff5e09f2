"""The generator behind the `sample` dataset: videos whose every motion, sound and label follows from closed formulas.

    scenes        photographs, and the disjoint tiles of train, val and test
    sprites       the textures and shapes that move
    trajectories  where a sprite is, and where the camera looks, in every frame
    sound         the tracks that keep time with the sprite
    world         the random draw of every video
    render        a drawn video as frames
    film          frames and sound as an MP4
    pan           a texture that moves at one known speed, for tests of motion vectors
    part          the command that writes every n-th video
    collection    the folder: several parts at once, then the table and the marker
    truth         what is known of every frame: written beside the videos, read by tests and methods

It is apart from `vdata/datasets/sample.py` so that the registered file reads like that of any other dataset.
"""
